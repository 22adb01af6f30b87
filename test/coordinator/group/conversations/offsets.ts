/** Conversations about committed offsets: what is taken, what is refused, what comes back. */
import { type OffsetCommitRequestInput, offsetCommit } from '../../../../src/protocol/apis/08-offset-commit.ts'
import { type OffsetFetchRequestInput, offsetFetch } from '../../../../src/protocol/apis/09-offset-fetch.ts'
import { leaveGroup } from '../../../../src/protocol/apis/13-leave-group.ts'
import { deleteGroups } from '../../../../src/protocol/apis/42-delete-groups.ts'
import { offsetDelete } from '../../../../src/protocol/apis/47-offset-delete.ts'
import { everyVersion } from '../../../support/broker.ts'
import type { Conversation, Talk } from '../../../support/conversation.ts'
import { alone, commit, each, enter, join, memberId, pair, pulse, subscription, sync } from './asking.ts'

const UNKNOWN_ID = 'AAAAAAAAAAAAAAAAAAAACA'
const ZERO_ID = 'AAAAAAAAAAAAAAAAAAAAAA'
const LARGEST = 2n ** 63n - 1n

interface Topic {
  readonly name: string
  readonly id: string
}

/** A commit of several partitions, by name or by id as the version has it. */
function commitAll(
  talk: Talk,
  version: number,
  groupId: string,
  topics: readonly (Topic & { readonly offsets: readonly (readonly [number, bigint])[] })[],
  more: Partial<OffsetCommitRequestInput> = {},
) {
  return talk.send('a', offsetCommit, version, {
    groupId,
    topics: topics.map(({ name, id, offsets }) => ({
      ...(version >= 10 ? { topicId: id } : { name }),
      partitions: offsets.map(([partitionIndex, committedOffset]) => ({
        partitionIndex,
        committedOffset,
        committedLeaderEpoch: partitionIndex === 0 ? 3 : -1,
        committedMetadata: partitionIndex === 0 ? 'm' : null,
      })),
    })),
    ...more,
  })
}

/** A fetch for one group, in the place where the version has it. */
function fetch(
  talk: Talk,
  version: number,
  groupId: string,
  topics: readonly (Topic & { readonly partitions: readonly number[] })[] | null,
  more: Partial<OffsetFetchRequestInput> = {},
  member: { memberId?: string; memberEpoch?: number } = {},
) {
  const named = (topics ?? []).map(({ name, id, partitions }) => ({
    ...(version >= 10 ? { topicId: id } : { name }),
    partitionIndexes: partitions,
  }))
  if (version < 8) {
    const plain = (topics ?? []).map(({ name, partitions }) => ({ name, partitionIndexes: partitions }))
    return talk.send('a', offsetFetch, version, { groupId, topics: topics === null ? null : plain, ...more })
  }
  return talk.send('a', offsetFetch, version, {
    groups: [{ groupId, ...member, topics: topics === null ? null : named }],
    ...more,
  })
}

export const offsets: readonly Conversation[] = [
  {
    id: 'offset-versions',
    name: 'each version of a commit is fetched by each version of a fetch',
    async body(talk) {
      const topic = await talk.topic('topic', 3)
      for (const version of everyVersion(offsetCommit)) {
        const groupId = talk.named(`v${version}`)
        await commitAll(talk, version, groupId, [
          {
            ...topic,
            offsets: [
              [0, 5n],
              [1, 6n],
            ],
          },
        ])
        for (const fetched of everyVersion(offsetFetch)) {
          await fetch(talk, fetched, groupId, [{ ...topic, partitions: [0, 1, 2, 7] }])
          if (fetched >= 2 && version === offsetCommit.maxVersion) await fetch(talk, fetched, groupId, null)
          if (fetched >= 7)
            await fetch(talk, fetched, groupId, [{ ...topic, partitions: [1] }], { requireStable: true })
        }
      }
    },
  },
  {
    id: 'offset-values',
    name: 'offsets and leader epochs of any size are refused or kept as they are',
    async body(talk) {
      const topic = await talk.topic('topic')
      for (const offset of [0n, -1n, -2n, 2n ** 53n + 1n, LARGEST, -(2n ** 63n)]) {
        const groupId = talk.named(`${offset}`)
        for (const version of [2, 9, 10]) {
          await commitAll(talk, version, groupId, [{ ...topic, offsets: [[0, offset]] }])
          await fetch(talk, version, groupId, [{ ...topic, partitions: [0] }])
        }
      }
      for (const committedLeaderEpoch of [-1, -2, 0, 2 ** 31 - 1]) {
        const groupId = talk.named(`epoch ${committedLeaderEpoch}`)
        await talk.send('a', offsetCommit, 8, {
          groupId,
          topics: [
            {
              name: topic.name,
              partitions: [{ partitionIndex: 0, committedOffset: 1n, committedLeaderEpoch, committedMetadata: '' }],
            },
          ],
        })
        await fetch(talk, 8, groupId, [{ ...topic, partitions: [0] }])
      }
      const kept = talk.named('retention')
      await commitAll(talk, 4, kept, [{ ...topic, offsets: [[0, 1n]] }], { retentionTimeMs: 60_000 })
      await fetch(talk, 8, kept, null)
    },
  },
  {
    id: 'offset-metadata',
    name: 'metadata is kept up to its limit',
    async body(talk) {
      const topic = await talk.topic('topic', 2)
      const groupId = talk.named('group')
      for (const metadata of [
        null,
        '',
        'm'.repeat(4096),
        'm'.repeat(4097),
        '\u{1f600}'.repeat(2048),
        '\u{1f600}'.repeat(2049),
      ]) {
        await commit(talk, 'a', groupId, topic.name, 1n, { metadata })
        await fetch(talk, 8, groupId, [{ ...topic, partitions: [0] }])
      }
      await talk.send('a', offsetCommit, 9, {
        groupId,
        topics: [
          {
            name: topic.name,
            partitions: [
              { partitionIndex: 0, committedOffset: 8n, committedMetadata: 'm'.repeat(4097) },
              { partitionIndex: 1, committedOffset: 9n, committedMetadata: 'short' },
            ],
          },
        ],
      })
      await fetch(talk, 8, groupId, null)
    },
  },
  {
    id: 'offset-nowhere',
    name: 'a commit is refused for what does not exist, and taken for the rest',
    async body(talk) {
      const topic = await talk.topic('topic', 2)
      const nowhere = { name: talk.named('nowhere'), id: UNKNOWN_ID }
      const asked = [
        { ...nowhere, offsets: [[0, 1n]] as const },
        {
          ...topic,
          offsets: [
            [2, 1n],
            [1, 1n],
            [-1, 1n],
          ] as const,
        },
        { name: '', id: ZERO_ID, offsets: [[0, 1n]] as const },
        { name: 'bad/name', id: UNKNOWN_ID, offsets: [[0, 1n]] as const },
      ]
      for (const version of [2, 8, 9, 10]) {
        const groupId = talk.named(`v${version}`)
        await commitAll(talk, version, groupId, asked)
        await commitAll(talk, version, groupId, [asked[0]!])
        await commitAll(talk, version, groupId, [])
        await commitAll(talk, version, groupId, [{ ...topic, offsets: [] }])
        await fetch(talk, version, groupId, [
          { ...nowhere, partitions: [0] },
          { ...topic, partitions: [2, 1] },
        ])
        await fetch(talk, version, groupId, null)
        await fetch(talk, version, groupId, [])
        await fetch(talk, version, groupId, [{ ...topic, partitions: [] }])
        await fetch(talk, version, talk.named('no group'), [{ ...topic, partitions: [0] }])
        await fetch(talk, version, talk.named('no group'), null)
      }
      const both = talk.named('twice')
      await commitAll(talk, 9, both, [
        {
          ...topic,
          offsets: [
            [0, 1n],
            [0, 2n],
          ],
        },
        { ...topic, offsets: [[0, 3n]] },
      ])
      await fetch(talk, 9, both, [{ ...topic, partitions: [0, 0] }])
    },
  },
  {
    id: 'offset-groups',
    name: 'several groups are fetched at once',
    async body(talk) {
      const topic = await talk.topic('topic')
      const groups = ['one', 'two', 'three'].map(name => talk.named(name))
      for (const [index, groupId] of groups.entries())
        await commitAll(talk, 9, groupId, [{ ...topic, offsets: [[0, BigInt(index)]] }])
      for (const version of [8, 9, 10]) {
        const its = version >= 10 ? { topicId: topic.id } : { name: topic.name }
        await talk.send('a', offsetFetch, version, {
          groups: [
            { groupId: groups[0]!, topics: [{ ...its, partitionIndexes: [0] }] },
            { groupId: groups[1]!, topics: null },
            { groupId: talk.named('nobody'), topics: null },
            { groupId: groups[2]!, topics: [] },
            { groupId: groups[0]!, topics: null },
            { groupId: '', topics: null },
          ],
          requireStable: true,
        })
        await talk.send('a', offsetFetch, version, { groups: [] })
      }
    },
  },
  {
    id: 'offset-odd-groups',
    name: 'group ids that are empty, long or unprintable have offsets',
    async body(talk) {
      const topic = await talk.topic('topic')
      for (const groupId of ['', talk.named('g'.repeat(32_000)), talk.named('\u0000\n')]) {
        await commitAll(talk, 8, groupId, [{ ...topic, offsets: [[0, 4n]] }])
        await fetch(talk, 5, groupId, [{ ...topic, partitions: [0] }])
        await fetch(talk, 8, groupId, null)
        await commitAll(talk, 8, groupId, [{ ...topic, offsets: [[0, 4n]] }], {
          generationIdOrMemberEpoch: 1,
          memberId: 'm',
        })
        for (const version of [0, 2]) await talk.send('a', deleteGroups, version, { groupsNames: [groupId] })
      }
    },
  },
  {
    id: 'commit-classic',
    name: 'commits to a classic group are checked by its state, its members and its generation',
    async body(talk) {
      const topic = await talk.topic('topic')
      const groupId = talk.named('group')
      const asMember = { memberId: 'm', generationId: 1 }
      for (const version of [2, 8, 9]) {
        await commit(talk, 'a', groupId, topic.name, 1n, asMember, version)
        await commit(talk, 'a', groupId, topic.name, 1n, { generationId: 0 }, version)
        await commit(talk, 'a', groupId, topic.name, 1n, { memberId: 'm' }, version)
      }
      await commit(talk, 'a', groupId, topic.name, 1n, { ...asMember, groupInstanceId: 'i' })
      await commit(talk, 'a', groupId, topic.name, 2n)
      await commit(talk, 'a', groupId, topic.name, 3n, asMember)
      const id = await memberId(talk, 'a', groupId)
      await commit(talk, 'a', groupId, topic.name, 3n, { memberId: id })
      const joined = await join(talk, 'a', groupId, { memberId: id })
      await commit(talk, 'b', groupId, topic.name, 4n, joined)
      await commit(talk, 'b', groupId, topic.name, 4n)
      await sync(talk, 'a', groupId, joined, each(joined))
      for (const version of [2, 7, 8, 9]) {
        await commit(talk, 'a', groupId, topic.name, 5n, joined, version)
        await commit(talk, 'a', groupId, topic.name, 6n, {}, version)
        await commit(talk, 'a', groupId, topic.name, 6n, { memberId: id }, version)
        await commit(talk, 'a', groupId, topic.name, 6n, { generationId: joined.generationId }, version)
        await commit(talk, 'a', groupId, topic.name, 6n, { memberId: id, generationId: 9 }, version)
        await commit(talk, 'a', groupId, topic.name, 6n, { memberId: id, generationId: 0 }, version)
        await commit(talk, 'a', groupId, topic.name, 6n, { memberId: 'other', generationId: 1 }, version)
      }
      await commit(talk, 'a', groupId, topic.name, 6n, { ...joined, groupInstanceId: 'i' })
      await fetch(talk, 9, groupId, null, {}, { memberId: 'other', memberEpoch: 7 })
      await fetch(talk, 9, groupId, null, {}, { memberId: id, memberEpoch: 7 })
      const b = await memberId(talk, 'b', groupId)
      const bJoins = join(talk, 'b', groupId, { memberId: b })
      await talk.reached(groupId, 'PreparingRebalance', 2)
      await commit(talk, 'a', groupId, topic.name, 7n, joined)
      const rejoined = await join(talk, 'a', groupId, { memberId: id })
      await bJoins
      await commit(talk, 'a', groupId, topic.name, 8n, joined)
      await commit(talk, 'a', groupId, topic.name, 8n, rejoined)
      await commit(talk, 'a', groupId, topic.name, 8n, rejoined, 2)
      await talk.send('a', leaveGroup, 5, { groupId, members: [{ memberId: id }, { memberId: b }] })
      await commit(talk, 'a', groupId, topic.name, 9n, rejoined)
      await commit(talk, 'a', groupId, topic.name, 10n)
      await fetch(talk, 9, groupId, null)
    },
  },
  {
    id: 'commit-consumer',
    name: 'commits to and fetches from a consumer group are checked by its members and their epochs',
    async body(talk) {
      const topic = await talk.topic('topic', 2)
      const groupId = talk.named('group')
      const joined = await enter(talk, groupId, 'm', [topic.name])
      await enter(talk, groupId, 'n', [topic.name])
      await pulse(talk, groupId, 'm', joined.memberEpoch, {
        topicPartitions: joined.assignment!.topicPartitions.map(each => ({
          ...each,
          partitions: each.partitions.slice(0, 1),
        })),
      })
      for (const version of [2, 8, 9, 10]) {
        for (const [member, epoch] of [
          ['m', 3],
          ['m', 2],
          ['m', 1],
          ['m', 0],
          ['m', 4],
          ['m', -1],
          ['', -1],
          ['', 2],
          ['stranger', 2],
          ['n', 3],
          ['n', 2],
        ] as const) {
          await commitAll(talk, version, groupId, [{ ...topic, offsets: [[0, 1n]] }], {
            memberId: member,
            generationIdOrMemberEpoch: epoch,
          })
        }
      }
      await commit(talk, 'a', groupId, topic.name, 1n, { memberId: 'm', generationId: 2, groupInstanceId: 'i' })
      for (const version of [9, 10]) {
        for (const [member, memberEpoch] of [
          ['m', 3],
          ['m', 2],
          ['m', 1],
          ['m', 0],
          ['m', 4],
          ['m', -1],
          ['', -1],
          ['', 2],
          ['stranger', 2],
        ] as const) {
          await fetch(talk, version, groupId, [{ ...topic, partitions: [0] }], {}, { memberId: member, memberEpoch })
          await fetch(talk, version, groupId, null, { requireStable: true }, { memberId: member, memberEpoch })
        }
      }
      await fetch(talk, 5, groupId, [{ ...topic, partitions: [0] }])
      await fetch(talk, 8, groupId, null)
      await pulse(talk, groupId, 'm', -1)
      await pulse(talk, groupId, 'n', -1)
      await commit(talk, 'a', groupId, topic.name, 11n)
      await commit(talk, 'a', groupId, topic.name, 12n, { memberId: 'm', generationId: 2 })
      await fetch(talk, 9, groupId, null)
    },
  },
  {
    id: 'offset-delete',
    name: 'offsets are deleted of topics that the group does not read',
    async body(talk) {
      const [read, left] = [await talk.topic('read'), await talk.topic('left', 2)]
      const its = { protocols: [{ name: 'range', metadata: subscription([read.name]) }] }
      const groupId = talk.named('group')
      const partitions = (...all: number[]) => all.map(partitionIndex => ({ partitionIndex }))
      const asked = [
        { name: talk.named('nowhere'), partitions: partitions(0) },
        { name: read.name, partitions: partitions(0) },
        { name: left.name, partitions: partitions(0) },
        { name: left.name, partitions: partitions(9) },
        { name: left.name, partitions: partitions(-1) },
      ]
      const ask = async (id: string) => {
        for (const topic of asked) await talk.send('admin', offsetDelete, 0, { groupId: id, topics: [topic] })
        await talk.send('admin', offsetDelete, 0, { groupId: id, topics: [] })
      }
      await ask('')
      await ask(groupId)
      const member = await alone(talk, 'a', groupId, its)
      await ask(groupId)
      for (const topic of [read, left]) await commit(talk, 'a', groupId, topic.name, 1n, member)
      await commit(talk, 'a', groupId, left.name, 1n, { ...member, partition: 1 })
      await ask(groupId)
      await fetch(talk, 8, groupId, [
        { ...read, partitions: [0] },
        { ...left, partitions: [0, 1] },
      ])
      await talk.send('a', leaveGroup, 5, { groupId, members: [member] })
      await ask(groupId)
      await fetch(talk, 8, groupId, null)

      const consumers = talk.named('consumers')
      const joined = await enter(talk, consumers, 'm', [read.name])
      for (const topic of [read, left])
        await commit(talk, 'a', consumers, topic.name, 1n, { memberId: 'm', generationId: joined.memberEpoch })
      await ask(consumers)
      await fetch(talk, 8, consumers, [
        { ...read, partitions: [0] },
        { ...left, partitions: [0] },
      ])

      const others = talk.named('others')
      await alone(talk, 'b', others, { protocolType: 'connect' })
      await ask(others)
      const simple = talk.named('simple')
      await commit(talk, 'a', simple, left.name, 1n)
      await ask(simple)
      await fetch(talk, 8, simple, null)
    },
  },
  {
    id: 'offset-delete-group',
    name: 'the offsets of a deleted group are gone with it',
    async body(talk) {
      const topic = await talk.topic('topic')
      const groupId = talk.named('group')
      await commit(talk, 'a', groupId, topic.name, 1n)
      await talk.send('admin', deleteGroups, 2, { groupsNames: [groupId] })
      await fetch(talk, 9, groupId, [{ ...topic, partitions: [0] }])
      await fetch(talk, 9, groupId, null)
      await commit(talk, 'a', groupId, topic.name, 2n)
      await fetch(talk, 9, groupId, null)
    },
  },
  {
    id: 'commit-static',
    name: 'a pair commits each for itself, and no one with the generation before',
    async body(talk) {
      const topic = await talk.topic('topic', 2)
      const groupId = talk.named('group')
      const [a, b] = await pair(talk, groupId)
      await commit(talk, 'a', groupId, topic.name, 1n, { ...a, partition: 0 })
      await commit(talk, 'b', groupId, topic.name, 2n, { ...b, partition: 1 })
      await commit(talk, 'b', groupId, topic.name, 3n, { ...b, generationId: 1, partition: 1 })
      await fetch(talk, 9, groupId, [{ ...topic, partitions: [0, 1] }])
    },
  },
]
