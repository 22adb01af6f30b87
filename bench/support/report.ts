/**
 * Collects the rows of a benchmark and writes them: a table for people on stdout, one JSON document for programs.
 *
 * Invariants: a row names its case, its peer and its mode (page cache or fsync); a case in which a peer is missing
 * fails the run, so that no figure stands alone. A peer that could not do the work has a row that says why.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { machine, median } from './machine.ts'

export interface Row {
  case: string
  peer: string
  /** What acks=all waited for while this was measured. */
  mode: 'page cache' | 'fsync'
  round: number
  /** Figures by name, units last: `recordsPerSecond`, `p99Us`, `brokerCpuSecondsPerGb`. */
  figures: Record<string, number>
  /** Why figures are missing. */
  reason?: string
}

export interface Document {
  benchmark: string
  machine: ReturnType<typeof machine>
  /** What the sizes and counts of the cases were multiplied by. */
  scale: number
  /** Effective settings and version of each peer. */
  peers: Record<string, unknown>
  rows: Row[]
}

/** Where the figures of a run that begins now are kept unless the caller names a file. */
export function resultPath(benchmark: string): string {
  return `bench/results/${benchmark}-${new Date().toISOString().slice(0, 16).replaceAll(':', '')}.json`
}

export class Report {
  readonly rows: Row[] = []
  readonly peers: Record<string, unknown> = {}
  readonly #benchmark: string
  readonly #scale: number

  constructor(benchmark: string, scale: number) {
    this.#benchmark = benchmark
    this.#scale = scale
  }

  add(row: Row): void {
    this.rows.push(row)
    const figures = Object.entries(row.figures).map(([name, value]) => `${name} ${format(value)}`)
    if (row.reason !== undefined) figures.push(row.reason)
    process.stdout.write(`  ${row.case} · ${row.peer} · ${row.mode} · round ${row.round}: ${figures.join(', ')}\n`)
  }

  /** The cases that lack one of the peers; each of them is a failed comparison. */
  missing(peers: readonly string[]): string[] {
    const cases = new Set(this.rows.map(row => row.case))
    return [...cases].flatMap(name =>
      peers
        .filter(peer => !this.rows.some(row => row.case === name && row.peer === peer))
        .map(peer => `${name}: no figure of ${peer}`),
    )
  }

  /** Medians by case and peer, with the ratio of the first peer to the second. */
  print(first: string, second: string): void {
    for (const name of new Set(this.rows.map(row => row.case))) {
      const of = (peer: string) => this.rows.filter(row => row.case === name && row.peer === peer)
      const keys = new Set([...of(first), ...of(second)].flatMap(row => Object.keys(row.figures)))
      process.stdout.write(`\n${name} (${this.rows.find(row => row.case === name)?.mode})\n`)
      for (const key of keys) {
        const a = median(of(first).map(row => row.figures[key] ?? Number.NaN))
        const b = median(of(second).map(row => row.figures[key] ?? Number.NaN))
        const ratio = Number.isFinite(a / b) ? `  ratio ${(a / b).toFixed(2)}` : ''
        process.stdout.write(
          `  ${key.padEnd(28)} ${first} ${format(a).padStart(12)}   ${second} ${format(b).padStart(12)}${ratio}\n`,
        )
      }
    }
  }

  /** As often as there is something new: what is written is kept, whatever comes after it. */
  write(path: string): void {
    const document: Document = {
      benchmark: this.#benchmark,
      machine: machine(),
      scale: this.#scale,
      peers: this.peers,
      rows: this.rows,
    }
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, `${JSON.stringify(document, undefined, 2)}\n`)
  }
}

function format(value: number): string {
  if (!Number.isFinite(value)) return '–'
  return Math.abs(value) >= 999.5 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3)
}
