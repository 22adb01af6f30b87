/**
 * Replicas that are given to other brokers: what a controller is asked, with topics and a second broker that only says
 * that it is there, and what it answers. For Apache Kafka and for ours alike.
 */
import { randomBytes } from 'node:crypto'
import type { Api } from '../../src/protocol/api.ts'
import { createTopics } from '../../src/protocol/apis/19-create-topics.ts'
import { alterPartitionReassignments } from '../../src/protocol/apis/45-alter-partition-reassignments.ts'
import { listPartitionReassignments } from '../../src/protocol/apis/46-list-partition-reassignments.ts'
import { brokerRegistration } from '../../src/protocol/apis/62-broker-registration.ts'
import { brokerHeartbeat } from '../../src/protocol/apis/63-broker-heartbeat.ts'
import type { Decoded, Encodable, Fields } from '../../src/protocol/schema.ts'

export interface Controller {
  readonly clusterId: string
  /** Finalised ones, with their levels. */
  readonly features: ReadonlyMap<string, number>
  ask<Request extends Fields, Response extends Fields>(
    api: Api<Request, Response>,
    version: number,
    request: Encodable<Request>,
  ): Promise<Decoded<Response>>
  /** Of each partition: replicas, ISR, leader, leader epoch. */
  partitions(topic: string): Promise<Answer>
}

export type Answer = readonly (readonly unknown[])[]

type Change = readonly [index: number, replicas: readonly number[] | null]

export type Step =
  | { readonly alter: readonly (readonly [topic: string, changes: readonly Change[]])[]; readonly sameFactor?: boolean }
  | { readonly list: readonly (readonly [topic: string, indexes: readonly number[]])[] | null }
  | { readonly show: string }
  | { readonly fence: boolean }

export interface Case {
  readonly id: string
  /** Replicas of each partition of the topic, which has the name of the case. */
  readonly topic?: readonly (readonly number[])[]
  steps(topic: string): readonly Step[]
}

const [alone, both] = [[[1], [1]], [[1, 2]]]

/** One change of partition 0, and what is to be seen of it. */
const change = (id: string, topic: Case['topic'], ...changes: (readonly number[] | null)[]): Case => ({
  id,
  ...(topic === undefined ? {} : { topic }),
  steps: name => [
    ...changes.map(replicas => ({ alter: [[name, [[0, replicas]]]] }) as const),
    { list: [[name, [0]]] },
    ...(topic === undefined ? [] : [{ show: name }]),
  ],
})

export const cases: readonly Case[] = [
  { id: 'nothing is under way', steps: () => [{ list: null }, { list: [] }, { list: [['absent', [0]]] }] },
  change('absent', undefined, [1]),
  { id: 'no-partition', topic: alone, steps: name => [{ alter: [[name, [2, 9, -1].map(index => [index, [1]])]] }] },
  change('the-same', alone, [1]),
  change('nobody', alone, []),
  change('twice', alone, [1, 1]),
  change('unknown-broker', alone, [3]),
  change('unknown-broker-too', alone, [1, -1]),
  change('nothing-to-take-back', alone, null),
  change('one-more', alone, [1, 2]),
  change('one-more-before', alone, [2, 1]),
  change('one-more-again', alone, [1, 2], [1, 2]),
  change('one-more-taken-back', alone, [1, 2], null),
  change('one-more-after-all-not', alone, [1, 2], [1]),
  change('another', alone, [2]),
  change('another-taken-back', alone, [2], null),
  change('another-then-both', alone, [2], [1, 2]),
  change('turned', both, [2, 1]),
  change('one-less', both, [1]),
  change('without-leader', both, [2]),
  change('there-and-back', both, [2], [1]),
  change('there-and-back-taken-back', both, [2], [1], null),
  {
    id: 'same-factor',
    topic: alone,
    steps: name => [
      {
        alter: [
          [name, [0, 1].map(index => [index, [2, 1]])],
          [name, [[0, [2]]]],
        ],
        sameFactor: true,
      },
      { alter: [[name, [[0, [1, 2]]]]], sameFactor: true },
      { alter: [[name, [[0, [1]]]]], sameFactor: true },
      { alter: [[name, [[1, [1, 2]]]]] },
      { alter: [[name, [[1, [1]]]]], sameFactor: true },
      { alter: [[name, [[1, [2, 1]]]]], sameFactor: true },
      { list: [[name, [0, 1, 0, 7]]] },
      { show: name },
    ],
  },
  {
    id: 'many-at-once',
    topic: [[1], [1], [1], [1]],
    steps: name => [
      {
        alter: [
          [
            name,
            [
              [0, [1, 2]],
              [1, [5]],
              [2, [2]],
              [3, [2, 1]],
            ],
          ],
          ['absent', [[0, null]]],
        ],
      },
      { list: [[name, [3, 2, 1, 0]]] },
      { show: name },
      { list: null },
    ],
  },
  {
    id: 'behind',
    topic: both,
    steps: name => [
      { fence: true },
      { show: name },
      { alter: [[name, [[0, [2]]]]] },
      { list: [[name, [0]]] },
      { show: name },
      { fence: false },
      { show: name },
      { alter: [[name, [[0, null]]]] },
      { show: name },
      { alter: [[name, [[0, [1]]]]] },
      { list: [[name, [0]]] },
      { show: name },
    ],
  },
  {
    id: 'fenced-on-the-way',
    topic: [...both, ...both],
    steps: name => [
      {
        alter: [
          [
            name,
            [
              [0, [2, 1]],
              [1, [2]],
            ],
          ],
        ],
      },
      { fence: true },
      { show: name },
      { alter: [[name, [[0, [1]]]]] },
      { list: [[name, [0, 1]]] },
      { show: name },
      { fence: false },
      { show: name },
    ],
  },
]

/** A broker 2 that follows nothing and serves nobody. */
export async function secondBroker({
  ask,
  clusterId,
  features,
}: Controller): Promise<(fence: boolean) => Promise<void>> {
  const id = () => randomBytes(16).toString('base64url').replace(/^-/, 'a')
  const { errorCode, brokerEpoch } = await ask(brokerRegistration, 4, {
    brokerId: 2,
    clusterId,
    incarnationId: id(),
    listeners: [{ name: 'PLAINTEXT', host: '127.0.0.1', port: 1, securityProtocol: 0 }],
    features: [...features].map(([name, level]) => ({ name, minSupportedVersion: level, maxSupportedVersion: level })),
    rack: null,
    logDirs: [id(), id()],
  })
  if (errorCode !== 0) throw new Error(`broker 2 was not registered: ${errorCode}`)
  const beat = async (wantFence: boolean): Promise<void> => {
    const beating = { brokerId: 2, brokerEpoch, currentMetadataOffset: 2 ** 53 - 1, wantFence, wantShutDown: false }
    const { errorCode, isFenced } = await ask(brokerHeartbeat, 1, { ...beating, offlineLogDirs: [] })
    if (errorCode !== 0 || isFenced !== wantFence) throw new Error(`broker 2 is not as it should be: ${errorCode}`)
  }
  await beat(false)
  return beat
}

/** Asks what the case asks. `settle`: until everybody knows what was answered. */
export async function take(
  controller: Controller,
  { id, topic, steps }: Case,
  beat: (fence: boolean) => Promise<void>,
  settle: () => Promise<void> = async () => {},
): Promise<Answer[]> {
  await beat(false)
  if (topic !== undefined) {
    const assignments = topic.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds: [...brokerIds] }))
    const creatable = { name: id, numPartitions: -1, replicationFactor: -1, assignments, configs: [] }
    const { topics } = await controller.ask(createTopics, 7, {
      topics: [creatable],
      timeoutMs: 5000,
      validateOnly: false,
    })
    if (topics[0]?.errorCode !== 0) throw new Error(`${id} was not created: ${topics[0]?.errorMessage}`)
    await settle()
  }
  const answers: Answer[] = []
  for (const step of steps(id)) {
    if ('fence' in step) await beat(step.fence)
    else answers.push(await answerTo(controller, step))
    await settle()
  }
  return answers
}

async function answerTo({ ask, partitions }: Controller, step: Exclude<Step, { fence: boolean }>): Promise<Answer> {
  if ('show' in step) return partitions(step.show)
  if ('list' in step) {
    const topics = step.list?.map(([name, indexes]) => ({ name, partitionIndexes: [...indexes] })) ?? null
    const answer = await ask(listPartitionReassignments, 0, { timeoutMs: 5000, topics })
    const listed = answer.topics.flatMap(({ name, partitions }) =>
      partitions.map(each => [
        name,
        ...[each.partitionIndex, each.replicas, each.addingReplicas, each.removingReplicas],
      ]),
    )
    const sorted = step.list === null ? listed.sort((a, b) => (`${a}` < `${b}` ? -1 : 1)) : listed
    return [[answer.errorCode, answer.errorMessage], ...sorted]
  }
  const topics = step.alter.map(([name, changes]) => ({
    name,
    partitions: changes.map(([partitionIndex, replicas]) => ({
      partitionIndex,
      replicas: replicas === null ? null : [...replicas],
    })),
  }))
  const allowReplicationFactorChange = step.sameFactor !== true
  const answer = await ask(alterPartitionReassignments, 1, { timeoutMs: 5000, allowReplicationFactorChange, topics })
  return [
    [answer.errorCode, answer.errorMessage, answer.allowReplicationFactorChange],
    ...answer.responses.flatMap(({ name, partitions }) =>
      partitions.map(each => [name, each.partitionIndex, each.errorCode, each.errorMessage]),
    ),
  ]
}
