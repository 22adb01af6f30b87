/**
 * What `bench/append.ts` measures: each case does the same work with every peer, in a folder of its own.
 *
 * Invariants: a case is of one mode: page cache, where nobody asks for the disk while it runs, or fsync, where each
 * unit is on disk before it counts. The value is the same bytes for all; what each adds to them (headers, checksums,
 * pages) is its own affair. Peers that a runtime lacks are left out of the figures and named.
 */
import { execFileSync } from 'node:child_process'
import { closeSync, fdatasyncSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { systemHost } from '../../src/host/system.ts'
import { openLog } from '../../src/index.ts'
import { openEngineDirectory } from '../../src/log/engine-directory.ts'
import type { LogWriterKind } from '../../src/native/owned-log.ts'
import { NativeRuntime } from '../../src/native/runtime.ts'
import { plainConfig } from '../../test/support/plain-config.ts'
import { fioSyncs } from './fio.ts'
import { root } from './peers.ts'
import type { Row } from './report.ts'

export interface AppendCase {
  readonly name: string
  readonly mode: Row['mode']
  /** The peers take so many turns in a round, each a part of its work: a disk drifts within seconds. */
  readonly turns: number
  /** By name; a peer resolves to figures, or to undefined where it isn't to be had. */
  readonly peers: Readonly<Record<string, (folder: string, scale: number) => Promise<Figures | undefined>>>
}

type Figures = Row['figures']

/** Runs `step` some times first, then `count` times. CPU is that of all threads of this process. */
async function timed(count: number, step: () => unknown, warmUp = 2000): Promise<Figures> {
  for (let index = 0; index < Math.min(warmUp, count); index++) await settled(step())
  const [began, cpu] = [performance.now(), process.cpuUsage()]
  for (let index = 0; index < count; index++) {
    const result = step()
    if (result instanceof Promise) await result
  }
  const seconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return { perSecond: count / seconds, cpuNanosecondsEach: ((user + system) * 1000) / count }
}

/** Of units that stand for `many` each. */
const divided = ({ perSecond = 0, cpuNanosecondsEach = 0 }: Figures, many: number): Figures => ({
  perSecond: perSecond * many,
  cpuNanosecondsEach: cpuNanosecondsEach / many,
})

const settled = async (result: unknown): Promise<unknown> => result

/** A log of the engine with one writer of the two, whatever the size. */
async function byWriter(writer: LogWriterKind, folder: string, value: Uint8Array, count: number): Promise<Figures> {
  const host = systemHost()
  const runtime = NativeRuntime.open({ host })
  runtime.ref()
  const directory = openEngineDirectory(runtime, folder, 'posix')
  const log = await directory.open('bench-0', { config: { ...plainConfig, flush: 'os' } })
  const owned = log.own(writer)
  const figures = await timed(count, () => {
    if (owned.append(value, value.length, host.clock.wallMs()) < 0) throw owned.failure()
  })
  owned.giveBack()
  await log.close(true)
  await directory.close({ clean: true, brokerEpoch: -1 })
  runtime.unref()
  await runtime.close()
  return figures
}

async function embedded<Result>(
  folder: string,
  run: (log: Awaited<ReturnType<typeof openLog>>) => Promise<Result>,
): Promise<Result> {
  const log = await openLog({ dir: join(folder, 'bench-0') })
  try {
    return await run(log)
  } finally {
    await log.close()
  }
}

async function plainFile(folder: string, run: (file: number) => Promise<Figures>): Promise<Figures> {
  const file = openSync(join(folder, 'plain'), 'w')
  try {
    return await run(file)
  } finally {
    closeSync(file)
  }
}

// Named by strings: neither is among the repository's own packages.
const load = <Module>(name: string): Promise<Module | undefined> =>
  (import(name) as Promise<Module>).catch(() => undefined)

interface Lmdb {
  open(options: object): { putSync(key: number, value: Uint8Array): unknown; close(): Promise<void> }
}

interface Sqlite {
  DatabaseSync: new (
    path: string,
  ) => {
    exec(sql: string): void
    prepare(sql: string): { run(value: Uint8Array): unknown }
    close(): void
  }
}

/** LMDB: each put is a transaction by itself, as each append is. */
async function lmdb(folder: string, value: Uint8Array, count: number, synced: boolean): Promise<Figures | undefined> {
  const module = await load<Lmdb>(new URL('../peers/node_modules/lmdb/index.js', import.meta.url).href)
  if (module === undefined) return undefined
  const store = module.open({
    path: join(folder, 'lmdb'),
    noSync: !synced,
    noMetaSync: !synced,
    keyEncoding: 'uint32',
    encoding: 'binary',
  })
  let key = 0
  const warmUp = synced ? DURABLE_WARM_UP : undefined
  const figures = await timed(Math.min(count, 50_000), () => store.putSync(key++, value), warmUp)
  await store.close()
  return figures
}

/** SQLite with a write-ahead log: one prepared insert each, no transaction around. */
async function sqlite(folder: string, value: Uint8Array, count: number, synced: boolean): Promise<Figures | undefined> {
  const module = await load<Sqlite>('node:sqlite')
  if (module === undefined) return undefined
  const database = new module.DatabaseSync(join(folder, 'sqlite'))
  database.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synced ? 'FULL' : 'OFF'}; CREATE TABLE log (id INTEGER PRIMARY KEY, value BLOB)`,
  )
  const insert = database.prepare('INSERT INTO log (value) VALUES (?)')
  const warmUp = synced ? DURABLE_WARM_UP : undefined
  const figures = await timed(Math.min(count, 100_000), () => insert.run(value), warmUp)
  database.close()
  return figures
}

/** What the engine's own program says of a writer, without JavaScript; it measures four sizes at once. */
function fromRust(folder: string, writer: 'mapped' | 'written', size: number): Figures {
  const program = ['run', '--release', '--quiet', '-p', 'odradek-engine', '--example', 'append', '--', folder, '64']
  const text = execFileSync('cargo', program, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  const rows = text
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { writer: string; bytes: number; nanoseconds: number })
  const found = rows.find(row => row.writer === writer && row.bytes === size)
  return { perSecond: 1e9 / (found?.nanoseconds ?? Number.NaN) }
}

/** Bytes of values that a peer writes for one figure. */
const BYTES = 96 << 20

function appendCase(size: number): AppendCase {
  const value = new Uint8Array(size).fill(7)
  const countOf = (scale: number) => Math.ceil(Math.min(600_000, BYTES / size) * scale)
  return {
    name: `append ${size} B`,
    mode: 'page cache',
    turns: 1,
    peers: {
      openLog: (folder, scale) => embedded(folder, log => timed(countOf(scale), () => log.append(value))),
      'fs.writeSync': (folder, scale) => plainFile(folder, file => timed(countOf(scale), () => writeSync(file, value))),
      'mapped writer': (folder, scale) => byWriter('map', folder, value, countOf(scale)),
      'positional writer': (folder, scale) => byWriter('write', folder, value, countOf(scale)),
      'mapped writer, from Rust': folder => Promise.resolve(fromRust(folder, 'mapped', size)),
      'positional writer, from Rust': folder => Promise.resolve(fromRust(folder, 'written', size)),
      lmdb: (folder, scale) => lmdb(folder, value, countOf(scale), false),
      'node:sqlite': (folder, scale) => sqlite(folder, value, countOf(scale), false),
    },
  }
}

/** 1,000 values at a time. */
function packedCase(size: number): AppendCase {
  const count = 1000
  const packed = new Uint8Array(size * count).fill(7)
  const ends = Uint32Array.from({ length: count }, (_, index) => (index + 1) * size)
  const runs = (scale: number) => Math.ceil((BYTES / packed.length) * scale)
  return {
    name: `append ${count} packed values of ${size} B`,
    mode: 'page cache',
    turns: 1,
    peers: {
      openLog: (folder, scale) =>
        embedded(folder, async log => divided(await timed(runs(scale), () => log.appendPacked(packed, ends)), count)),
      'fs.writeSync': (folder, scale) =>
        plainFile(folder, async file => divided(await timed(runs(scale), () => writeSync(file, packed)), count)),
    },
  }
}

function syncedPeers(value: Uint8Array, runs: (scale: number) => number): AppendCase['peers'] {
  return {
    lmdb: (folder, scale) => lmdb(folder, value, runs(scale), true),
    'node:sqlite': (folder, scale) => sqlite(folder, value, runs(scale), true),
  }
}

const DURABLE_TURNS = 5
/** Syncs before a turn counts. */
const DURABLE_WARM_UP = 50

function durableCase(name: string, size: number, inFlight: number): AppendCase {
  const value = new Uint8Array(size).fill(7)
  const runs = (scale: number) => Math.ceil(1000 * scale)
  const steps = (log: Awaited<ReturnType<typeof openLog>>): (() => unknown) => {
    if (inFlight === 0)
      return () => {
        log.append(value)
        log.flushSync()
      }
    if (inFlight === 1) return () => log.appendDurable(value)
    return () => Promise.all(Array.from({ length: inFlight }, () => log.appendDurable(value)))
  }
  return {
    name: `${name} ${size} B`,
    mode: 'fsync',
    turns: DURABLE_TURNS,
    peers: {
      openLog: (folder, scale) =>
        embedded(folder, async log =>
          divided(await timed(runs(scale), steps(log), DURABLE_WARM_UP), Math.max(1, inFlight)),
        ),
      fio: folder => {
        const perSecond = fioSyncs(folder, size, 1)
        return Promise.resolve(perSecond === undefined ? undefined : { perSecond })
      },
      'fs.writeSync + fdatasyncSync': (folder, scale) =>
        plainFile(folder, file =>
          timed(
            runs(scale),
            () => {
              writeSync(file, value)
              fdatasyncSync(file)
            },
            DURABLE_WARM_UP,
          ),
        ),
      ...(inFlight < 2 ? syncedPeers(value, runs) : {}),
    },
  }
}

/** So many logs of the engine, each written to now and then, and a sync for each append or one for many. */
function manyLogsCase(logs: number, rate: number): AppendCase {
  const run = (folder: string, scale: number, journal: string): Figures => {
    const count = Math.ceil(logs * scale)
    const options = Object.entries({ folder, logs: count, rate: Math.ceil(rate * scale), seconds: 5, journal })
    const words = options.flatMap(([name, value]) => [`--${name}`, `${value}`])
    const command = ['run', '--release', '--quiet', '-p', 'odradek-sync-bench', '--', 'logs', ...words]
    const { appendsPerSecond, flushesPerSecond, p50Ms, p99Ms, cpuMicrosPerAppend } = JSON.parse(
      execFileSync('cargo', command, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }),
    ) as Figures
    return { perSecond: appendsPerSecond, flushesPerSecond, p50Ms, p99Ms, cpuMicrosPerAppend } as Figures
  }
  return {
    name: `${rate} appends a second spread over ${logs} logs`,
    mode: 'fsync',
    turns: 1,
    peers: {
      'with the journal': (folder, scale) => Promise.resolve(run(folder, scale, 'yes')),
      'each log by itself': (folder, scale) => Promise.resolve(run(folder, scale, 'no')),
    },
  }
}

/** `mkdir` of a fresh folder below `parent`. */
export function folderFor(parent: string, ...parts: (string | number)[]): string {
  const folder = join(parent, parts.join('-').replace(/[^a-zA-Z0-9-]/g, '_'))
  mkdirSync(folder, { recursive: true })
  return folder
}

export const appendCases: readonly AppendCase[] = [
  ...[100, 1024, 16 << 10, 128 << 10].map(appendCase),
  packedCase(100),
  durableCase('flushSync after each', 1024, 0),
  durableCase('appendDurable one by one', 1024, 1),
  durableCase('appendDurable 64 in flight', 1024, 64),
  manyLogsCase(10_000, 5_000),
]
