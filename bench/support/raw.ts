/**
 * The raw load: one pre-encoded Produce request sent over and over by `bench/load`, and a bare echo on node:net as the
 * yardstick of what the machine's wake-ups cost in the same minute.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { produce } from '../../src/protocol/apis/00-produce.ts'
import { encodeRequest } from '../../src/protocol/headers.ts'
import { joinParts } from '../../src/protocol/messages.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { buildBatch } from '../../src/records/builder.ts'
import { type RunningBroker, root } from './peers.ts'
import { run } from './tools.ts'

export interface RawOptions {
  connections: number
  requests: number
  recordBytes: number
  depth?: number
  partition?: number
  /** Records in the batch; absent: 1. */
  records?: number
  /** CPU of the load generator, and of the echo. */
  pin?: number
  /** Requests a second at intended times; absent: each connection sends when it is answered. */
  rate?: number
  /** With `rate`: the loop ends early when this file is there. */
  until?: string
}

let built: string | undefined

/** Path of the load generator, built from the present sources. */
export function loadProgram(): string {
  if (built !== undefined) return built
  execFileSync('cargo', ['build', '--release', '--quiet', '-p', 'odradek-load'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  built = join(process.env['CARGO_TARGET_DIR'] ?? join(root, 'target'), 'release', 'odradek-load')
  return built
}

const produceVersion = 9

/** The length-prefixed request, and where in its answer (behind the length) the partition's error code lies. */
export function produceFrame(topic: string, options: RawOptions): { frame: Uint8Array; errorAt: number } {
  const record = { key: null, value: new Uint8Array(options.recordBytes).fill(120) }
  const batch = buildBatch(
    Array.from({ length: options.records ?? 1 }, () => record),
    { baseOffset: 0, leaderEpoch: -1, timestamp: BigInt(Date.now()) },
  )
  return batchFrame(topic, options.partition ?? 0, batch)
}

/** As `produceFrame`, of a batch that is there. */
export function batchFrame(topic: string, index: number, records: Uint8Array): { frame: Uint8Array; errorAt: number } {
  const request = { acks: -1, timeoutMs: 30_000, topicData: [{ name: topic, partitionData: [{ index, records }] }] }
  const body = joinParts(
    encodeRequest(new Writer(), produce, produceVersion, { correlationId: 1, clientId: 'load' }, request),
  )
  const frame = new Uint8Array(body.length + 4)
  new DataView(frame.buffer).setUint32(0, body.length)
  frame.set(body, 4)
  return { frame, errorAt: 4 + 1 + 1 + (1 + topic.length) + 1 + 4 }
}

/** Sends until it is answered without an error (a new partition may not take a produce yet), then measures. */
export async function rawLoop(
  broker: RunningBroker,
  topic: string,
  options: RawOptions,
): Promise<Record<string, number>> {
  const { frame, errorAt } = produceFrame(topic, options)
  return await withFrame(frame, async path => {
    const common = ['--address', broker.bootstrap, '--frame', path, '--error-at', `${errorAt}`]
    await untilAnswered(() => run(loadProgram(), [...common, '--requests', '1']))
    return await load([
      ...common,
      '--pid',
      `${broker.pid}`,
      '--connections',
      `${options.connections}`,
      '--depth',
      `${options.depth ?? 1}`,
      '--requests',
      `${options.requests}`,
      '--warm-up',
      `${options.rate === undefined ? Math.ceil(options.requests / 5) : 0}`,
      ...(options.rate === undefined ? [] : ['--rate', `${options.rate}`]),
      ...(options.until === undefined ? [] : ['--until', options.until]),
      ...pinning(options),
    ])
  })
}

/** As `rawLoop`, with the echo's figures on the same core beside it. */
export async function pinnedLoop(
  broker: RunningBroker,
  topic: string,
  options: RawOptions,
): Promise<Record<string, number>> {
  const figures = await rawLoop(broker, topic, options)
  const echo = await echoLoop(options)
  return { ...figures, echoP50Us: echo['p50Us'] ?? Number.NaN, echoP99Us: echo['p99Us'] ?? Number.NaN }
}

/** The same frames against a bare echo on node:net in a process of its own. */
export async function echoLoop(options: RawOptions): Promise<Record<string, number>> {
  const script =
    "const s=require('node:net').createServer(c=>{c.setNoDelay(true);c.on('data',d=>c.write(d));c.on('error',()=>{})});s.listen(0,'127.0.0.1',()=>console.log(s.address().port))"
  const command = [process.execPath, '-e', script]
  const pinned = options.pin === undefined ? command : ['taskset', '-c', `${options.pin}`, ...command]
  const child = spawn(pinned[0] as string, pinned.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const port = await new Promise<string>(resolve => child.stdout.once('data', chunk => resolve(String(chunk).trim())))
    const { frame } = produceFrame('echo', options)
    return await withFrame(frame, path =>
      load([
        '--address',
        `127.0.0.1:${port}`,
        '--frame',
        path,
        '--connections',
        `${options.connections}`,
        '--pid',
        `${child.pid}`,
        '--requests',
        `${options.requests}`,
        '--warm-up',
        `${Math.ceil(options.requests / 5)}`,
        ...pinning(options),
      ]),
    )
  } finally {
    child.kill('SIGKILL')
  }
}

function pinning(options: RawOptions): string[] {
  return options.pin === undefined ? [] : ['--pin', `${options.pin}`]
}

/**
 * Sends one frame, length included, over and over; `args` are the load generator's, without `--frame`; a program first.
 */
export function loadFrame(frame: Uint8Array, args: string[]): Promise<Record<string, number>> {
  return withFrame(frame, path => load([...args, '--frame', path]))
}

async function load(args: string[]): Promise<Record<string, number>> {
  return JSON.parse(await run(loadProgram(), args)) as Record<string, number>
}

async function withFrame<T>(frame: Uint8Array, use: (path: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'odradek-frame-'))
  try {
    const path = join(folder, 'frame.bin')
    writeFileSync(path, frame)
    return await use(path)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function untilAnswered(attempt: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + 60_000
  for (;;) {
    try {
      await attempt()
      return
    } catch (error) {
      if (performance.now() > deadline) throw error
      await new Promise(resolve => setTimeout(resolve, 2))
    }
  }
}
