/**
 * Consumer groups and their offsets: Odradek and Apache Kafka beside each other in one run, interleaved, under the same
 * members.
 *
 *   npm run bench -- groups [--only a,b] [--rounds 2] [--warm-seconds 15] [--scale 1] [--peers odradek,kafka] [--out FILE]
 *
 * Both brokers run with `group.initial.rebalance.delay.ms=0`. A rebalance is timed from the last join that the final
 * generation was made of, so that what a member waits for its own heartbeat is not in it.
 */
import { parseArgs } from 'node:util'
import { groupCases, warmGroups } from './support/group-cases.ts'
import { interleave } from './support/interleaved.ts'
import { resultPath } from './support/report.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '2' },
    'warm-seconds': { type: 'string', default: '15' },
    scale: { type: 'string', default: '1' },
    peers: { type: 'string', default: 'odradek,kafka' },
    out: { type: 'string', default: resultPath('groups') },
  },
})

const code = await interleave({
  benchmark: 'groups',
  cases: groupCases,
  wanted: values.only,
  rounds: Number(values.rounds),
  scale: Number(values.scale),
  out: values.out,
  peers: values.peers.split(','),
  config: { 'group.initial.rebalance.delay.ms': '0' },
  warm: (broker, fsync) => warmGroups(broker, Number(values['warm-seconds']), fsync),
})
process.exit(code)
