import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { readControlRecord } from '../../src/raft/control-records.ts'
import { formatQuorumState, parseQuorumState } from '../../src/raft/quorum-state.ts'
import type { Opened, RaftEffect } from '../../src/raft/raft.ts'
import { Raft } from '../../src/raft/raft.ts'
import { BatchView } from '../../src/records/batch.ts'
import { recordsOf } from '../../src/records/iterate.ts'

const test = suite('raft')

const self = {
  voterId: 1,
  voterDirectoryId: 'AAAAAAAAAAAAAAAAAAAABQ',
  endpoints: [{ name: 'CONTROLLER', host: 'localhost', port: 9093 }],
  kRaftVersionFeature: { minSupportedVersion: 0, maxSupportedVersion: 1 },
}
const fresh: Opened = {
  election: undefined,
  endOffset: 0,
  lastEpoch: 0,
  kraftVersion: 1,
  voters: [self],
  votersInLog: false,
}
const value = new Uint8Array([1])

const types = (effects: RaftEffect[]) => effects.map(effect => effect.type)
const controlTypes = (effect: RaftEffect) =>
  effect.type === 'append'
    ? Array.from(recordsOf(BatchView.at(effect.batch, 0)!), record => readControlRecord(record)?.type)
    : []

/** A raft that leads, its epoch's first batch synced. */
function leading(opened: Opened = fresh): { raft: Raft; end: number } {
  const raft = new Raft(self)
  const [, begin] = raft.step({ type: 'opened', opened, nowMs: 1 })
  raft.step({ type: 'voteStored' })
  if (begin?.type !== 'append') throw new Error('no first batch')
  const end = begin.expectedBase + BatchView.at(begin.batch, 0)!.count
  raft.step({ type: 'appended', ticket: begin.ticket, end })
  raft.step({ type: 'synced', end })
  return { raft, end }
}

test('a first start stores its vote, and only behind it appends who leads and who votes', () => {
  const raft = new Raft(self)
  const [vote, begin, ...more] = raft.step({ type: 'opened', opened: fresh, nowMs: 1 })
  assert.equal(more, [])
  assert.equal(vote, {
    type: 'storeVote',
    election: { epoch: 1, leaderId: 1, votedId: -1, votedDirectoryId: 'AAAAAAAAAAAAAAAAAAAAAA' },
  })
  assert.is(begin?.type === 'append' && begin.after, 'voteStored')
  assert.equal(controlTypes(begin!), ['leaderChange', 'kraftVersion', 'voters'])
  assert.is(raft.role, 'candidate')
  raft.step({ type: 'voteStored' })
  assert.is(raft.role, 'leader')
})

test('each start is a new epoch, and voters that stand in the log are not written again', () => {
  const election = { epoch: 4, leaderId: 1, votedId: -1, votedDirectoryId: 'AAAAAAAAAAAAAAAAAAAAAA' }
  const raft = new Raft(self)
  const [vote, begin] = raft.step({
    type: 'opened',
    opened: { ...fresh, election, endOffset: 9, lastEpoch: 4, votersInLog: true },
    nowMs: 1,
  })
  assert.is(vote?.type === 'storeVote' && vote.election.epoch, 5)
  assert.is(begin?.type === 'append' && begin.expectedBase, 9)
  assert.equal(controlTypes(begin!), ['leaderChange'])
})

test('a log that is ahead of the file quorum-state decides the epoch', () => {
  const raft = new Raft(self)
  const [vote] = raft.step({
    type: 'opened',
    opened: { ...fresh, endOffset: 9, lastEpoch: 6, votersInLog: true },
    nowMs: 1,
  })
  assert.is(vote?.type === 'storeVote' && vote.election.epoch, 7)
})

test('a voter of this directory is kept with the end point that Kafka gave it', () => {
  const moved = { ...self, endpoints: [{ name: 'CONTROLLER', host: 'localhost', port: 19093 }] }
  const begun = (votersInLog: boolean) => {
    const [, begin] = new Raft(self).step({
      type: 'opened',
      opened: { ...fresh, voters: [moved], votersInLog },
      nowMs: 1,
    })
    return controlTypes(begin!)
  }
  assert.equal(begun(true), ['leaderChange'])
  assert.equal(begun(false), ['leaderChange', 'kraftVersion', 'voters'])
})

test('a vote that cannot be stored stops it', () => {
  const raft = new Raft(self)
  raft.step({ type: 'opened', opened: fresh, nowMs: 1 })
  assert.equal(raft.step({ type: 'storeFailed', text: 'disk full' }), [{ type: 'stop', text: 'disk full' }])
  assert.equal(raft.step({ type: 'synced', end: 3 }), [])
  assert.equal(raft.step({ type: 'logFailed', text: 'again' }), [])
})

test('a voter set with other nodes, or another directory, is refused', () => {
  const other = { ...self, voterId: 2 }
  const [stranger] = new Raft(self).step({ type: 'opened', opened: { ...fresh, voters: [self, other] }, nowMs: 1 })
  assert.match(stranger?.type === 'stop' ? stranger.text : '', 'quorum of controllers (1, 2)')
  const lost = { ...self, voterDirectoryId: 'AAAAAAAAAAAAAAAAAAAABg' }
  const [replaced] = new Raft(self).step({ type: 'opened', opened: { ...fresh, voters: [lost] }, nowMs: 1 })
  assert.match(replaced?.type === 'stop' ? replaced.text : '', 'meta.properties')
})

test('nothing is committed before the first record of the epoch is synced', () => {
  const raft = new Raft(self)
  raft.step({ type: 'opened', opened: { ...fresh, endOffset: 9, lastEpoch: 4, votersInLog: true }, nowMs: 1 })
  raft.step({ type: 'voteStored' })
  assert.equal(raft.step({ type: 'synced', end: 9 }), [])
  raft.step({ type: 'appended', ticket: 1, end: 10 })
  assert.is(raft.highWatermark, -1)
  assert.equal(raft.step({ type: 'synced', end: 10 }), [
    { type: 'commit', offset: 10 },
    { type: 'lead', epoch: 5, offset: 10 },
  ])
})

test('proposals get offsets one after the other and are committed when synced, not when written', () => {
  const { raft, end } = leading()
  const [first] = raft.step({ type: 'propose', records: [value, value], expectedBase: end, nowMs: 2 })
  const [second] = raft.step({ type: 'propose', records: [value], expectedBase: end + 2, nowMs: 2 })
  assert.is(first?.type === 'append' && first.expectedBase, end)
  assert.is(second?.type === 'append' && second.expectedBase, end + 2)
  assert.equal(raft.step({ type: 'appended', ticket: 2, end: end + 2 }), [])
  assert.is(raft.highWatermark, end)
  assert.equal(raft.step({ type: 'synced', end: end + 2 }), [{ type: 'commit', offset: end + 2 }])
  assert.equal(raft.step({ type: 'synced', end: end + 2 }), [])
})

test('a proposal at another offset than the end is refused', () => {
  const { raft, end } = leading()
  assert.equal(types(raft.step({ type: 'propose', records: [value], expectedBase: end + 1, nowMs: 2 })), ['reject'])
})

test('a refused append voids itself and what was proposed after it, and the next goes in its place', () => {
  const { raft, end } = leading()
  for (const base of [end, end + 1, end + 2])
    raft.step({ type: 'propose', records: [value], expectedBase: base, nowMs: 2 })
  raft.step({ type: 'appended', ticket: 2, end: end + 1 })
  const code = ErrorCode.KAFKA_STORAGE_ERROR
  assert.equal(raft.step({ type: 'appendFailed', ticket: 3, code, text: 'full' }), [
    { type: 'reject', base: end + 1, code, text: 'full' },
  ])
  assert.equal(raft.step({ type: 'appendFailed', ticket: 4, code, text: 'mismatch' }), [])
  const [again] = raft.step({ type: 'propose', records: [value], expectedBase: end + 1, nowMs: 3 })
  assert.is(again?.type === 'append' && again.expectedBase, end + 1)
})

test('an epoch that cannot begin stops it', () => {
  const raft = new Raft(self)
  raft.step({ type: 'opened', opened: fresh, nowMs: 1 })
  raft.step({ type: 'voteStored' })
  const effects = raft.step({ type: 'appendFailed', ticket: 1, code: ErrorCode.KAFKA_STORAGE_ERROR, text: 'disk full' })
  assert.equal(types(effects), ['stop'])
})

test('the file quorum-state reads as it was written, in both versions', () => {
  const state = { epoch: 7, leaderId: 1, votedId: -1, votedDirectoryId: 'AAAAAAAAAAAAAAAAAAAAAA' }
  for (const version of [0, 1]) {
    const voterIds = version === 0 ? [1] : []
    assert.equal(parseQuorumState(formatQuorumState(state, version, [1])), { ...state, voterIds })
  }
})

test('a file quorum-state that is damaged or from another version is an error', () => {
  for (const text of [
    '',
    '{',
    '[]',
    'null',
    '{"data_version":1}',
    '{"leaderEpoch":-1,"data_version":1}',
    '{"leaderEpoch":1,"data_version":2}',
  ]) {
    assert.type(parseQuorumState(new TextEncoder().encode(text)), 'string', text)
  }
})

test.run()
