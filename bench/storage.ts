/**
 * Storage of both brokers beside each other: idle partitions, and the start after kill -9.
 *
 *   npm run bench -- storage [--only a,b] [--rounds 1] [--scale 1] [--peers odradek,kafka] [--out FILE]
 */
import { parseArgs } from 'node:util'
import { interleave } from './support/interleaved.ts'
import { resultPath } from './support/report.ts'
import { storageCases } from './support/storage-cases.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '1' },
    scale: { type: 'string', default: '1' },
    peers: { type: 'string', default: 'odradek,kafka' },
    out: { type: 'string', default: resultPath('storage') },
  },
})

const code = await interleave({
  benchmark: 'storage',
  cases: storageCases,
  wanted: values.only,
  rounds: Number(values.rounds),
  scale: Number(values.scale),
  out: values.out,
  peers: values.peers.split(','),
  warm: () => Promise.resolve(),
})
process.exit(code)
