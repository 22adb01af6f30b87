/**
 * Partitions that get other replicas: the answers of Apache Kafka 4.3.1
 * (test/vectors/record/reassignments.ts), and the rules.
 */
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { completed, takenBack } from '../../src/controller/reassignment.ts'
import type { PartitionImage } from '../../src/metadata/image.ts'
import { DirectoryId } from '../../src/metadata/records.ts'
import { alterPartitionReassignments } from '../../src/protocol/apis/45-alter-partition-reassignments.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { TestNode } from '../support/metadata-node.ts'
import { inRepository } from '../support/paths.ts'
import { type Answer, type Controller, cases, secondBroker, take } from '../support/reassigning.ts'

const test = suite('reassignments')

const kafka: Record<string, Answer[]> = JSON.parse(
  readFileSync(inRepository('test/vectors/reassignments/kafka-4.3.1.json'), 'utf8'),
)

async function started(): Promise<{ node: TestNode; controller: Controller }> {
  const node = await (await new TestNode().start()).serve()
  const { clusterId, image, kraftVersion } = node.metadata
  const controller: Controller = {
    clusterId,
    features: new Map([...image().features, ['kraft.version', kraftVersion]]),
    ask: (api, version, request) => node.handle(api.key, version, request),
    partitions: async name => {
      const { partitions } = image().topicsByName.get(name)!
      return partitions.map(each => [each.replicas, each.isr, each.leader, each.leaderEpoch])
    },
  }
  return { node, controller }
}

/** Of a message only whether there is one: the words are ours. */
const comparable = (answers: readonly Answer[]) =>
  answers.map(answer =>
    answer.map(row => {
      const [name, index, code, message] = row
      const isOutcome = row.length === 4 && typeof name === 'string' && typeof code === 'number'
      return isOutcome ? [name, index, code, message !== null] : row
    }),
  )

test('answers as Kafka does, step by step', async () => {
  const { controller } = await started()
  const beat = await secondBroker(controller)
  for (const each of cases) {
    const answers = await take(controller, each, beat)
    assert.equal(comparable(answers), comparable(kafka[each.id]!), each.id)
  }
})

test('a replica that comes has no directory yet where its broker has several, and one that stays keeps its own', async () => {
  const { node, controller } = await started()
  await secondBroker(controller)
  await node.createTopic('t')
  const [directory] = node.metadata.directoryIds.values()
  const topics = [{ name: 't', partitions: [{ partitionIndex: 0, replicas: [2, 1] }] }]
  await controller.ask(alterPartitionReassignments, 1, { allowReplicationFactorChange: true, topics })
  const { replicas, directories } = node.metadata.image().topicsByName.get('t')!.partitions[0]!
  assert.equal(
    [replicas, directories],
    [
      [2, 1],
      [DirectoryId.unassigned, directory],
    ],
  )
})

test('more changes than fit into one batch of records are refused one by one', async () => {
  const { node, controller } = await started()
  await secondBroker(controller)
  await node.createTopic('t', { numPartitions: 3 })
  const partitions = Array.from({ length: 10_002 }, () => ({ partitionIndex: 1, replicas: [1, 2] }))
  const { responses } = await controller.ask(alterPartitionReassignments, 1, {
    allowReplicationFactorChange: true,
    topics: [{ name: 't', partitions }],
  })
  const codes = responses[0]!.partitions.map(each => each.errorCode)
  assert.equal(codes.slice(9_999), [0, ErrorCode.POLICY_VIOLATION, ErrorCode.POLICY_VIOLATION])
})

const assignment = (replicas: number[], adding: number[], removing: number[]) => ({ replicas, adding, removing })

test('a change is completed when those that come are in sync and those that stay lose nobody', () => {
  assert.is(completed(assignment([1, 2], [], []), [1]), undefined)
  assert.is(completed(assignment([1, 2], [2], []), [1]), undefined)
  assert.equal(completed(assignment([1, 2], [2], []), [2, 1]), { replicas: [1, 2], isr: [2, 1] })
  assert.is(completed(assignment([2, 1], [2], [1]), [1]), undefined)
  assert.equal(completed(assignment([2, 1], [2], [1]), [1, 2]), { replicas: [2], isr: [2] })
  assert.is(completed(assignment([2, 3, 4, 5, 0, 1], [5], [0, 1]), [0, 1, 5]), undefined)
  assert.equal(completed(assignment([2, 3, 4, 5, 0, 1], [5], [0, 1]), [5, 4, 3, 2]), {
    replicas: [2, 3, 4, 5],
    isr: [5, 4, 3, 2],
  })
  assert.equal(completed(assignment([2, 3, 0, 1], [2, 3], [0, 1]), [2, 3]), { replicas: [2, 3], isr: [2, 3] })
})

test('what is taken back leaves the first old replica in sync, uncleanly, when all others have left', () => {
  const partition = { replicas: [3, 1, 2], addingReplicas: [3], removingReplicas: [1, 2], isr: [3] }
  assert.equal(takenBack(partition as unknown as PartitionImage), {
    assignment: assignment([1, 2], [], []),
    isr: [1],
    isUnclean: true,
  })
  assert.equal(takenBack({ ...partition, isr: [3, 2] } as unknown as PartitionImage).isr, [2])
})

test.run()
