/**
 * The brokers that are measured: Odradek from this checkout, and Apache Kafka from its own jars, each as a process of
 * its own on loopback with a data folder on the same disk.
 *
 * Invariants: both get the same settings where both have them; `effective` says what each was started with; a broker is
 * ended by its own pid and its folder removed.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { basename, join } from 'node:path'

export interface RunningBroker {
  readonly peer: string
  readonly pid: number
  readonly port: number
  readonly bootstrap: string
  /** Seconds from exec to the first accepted connection. */
  readonly listeningAfterSeconds: number
  readonly effective: Record<string, unknown>
  /** SIGTERM and wait; SIGKILL after 30 s. Removes the data folder unless asked to keep it. */
  stop(options?: { keep?: boolean; kill?: boolean }): Promise<void>
  readonly dataFolder: string
}

export interface StartOptions {
  port: number
  /** true: an acks=all answer waits for the disk. */
  fsync: boolean
  /** Further settings, Kafka's names. */
  config?: Record<string, string>
  /** A folder to go on with; absent: a new one. */
  dataFolder?: string
  /** The broker's CPUs for taskset, e.g. `0`. */
  pin?: string
  /** Until when it has to listen; a broker with many partitions takes its time when it was killed. Absent: 240. */
  startSeconds?: number
  /** Odradek on Node: a module that is loaded before it. */
  preload?: string
}

const START_SECONDS = 240

export const root = join(import.meta.dirname ?? '', '..', '..').replace(/\/dist$/, '')

export function benchFolder(): string {
  const base = process.env['ODRADEK_BENCH_DIR'] ?? tmpdir()
  mkdirSync(base, { recursive: true })
  return mkdtempSync(join(base, 'odradek-bench-'))
}

export async function startOdradek(options: StartOptions): Promise<RunningBroker> {
  const dataFolder = options.dataFolder ?? benchFolder()
  const flush = options.fsync ? 'group' : 'os'
  const config = Object.entries(options.config ?? {}).flatMap(([key, value]) => ['-c', `${key}=${value}`])
  const runtime = process.env['ODRADEK_BENCH_RUNTIME'] ?? process.execPath
  const main = join(root, 'dist', 'src', 'cli', 'main.js')
  const profiles = process.env['ODRADEK_BENCH_PROFILE']
  const command = [
    runtime,
    ...(profiles === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profiles]),
    ...(options.preload === undefined ? [] : ['--require', options.preload]),
    main,
    'serve',
    '--port',
    `${options.port}`,
    '--host',
    '127.0.0.1',
    '--dir',
    join(dataFolder, 'data'),
    '--flush',
    flush,
    ...config,
  ]
  const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version as string
  return await launch('odradek', command, dataFolder, options, {
    version,
    runtime: `${basename(runtime)} ${execFileSync(runtime, ['--version'], { encoding: 'utf8' }).trim()}`,
    flush,
    config: options.config ?? {},
  })
}

export const kafkaVersion = process.env['KAFKA_VERSION'] ?? '4.3.1'

export function kafkaLibs(): string {
  const libs = process.env['ODRADEK_KAFKA_LIBS'] ?? join(homedir(), '.cache', 'odradek-lab', 'kafka', 'libs')
  if (!existsSync(libs))
    throw new Error(`no Kafka jars in ${libs}: set ODRADEK_KAFKA_LIBS, or run scripts/kafka-fetch.mjs`)
  return libs
}

const jvmFlags = [
  '-Xmx1G',
  '-Xms1G',
  '-server',
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  '-XX:InitiatingHeapOccupancyPercent=35',
  '-XX:+ExplicitGCInvokesConcurrent',
  '-XX:MaxInlineLevel=15',
  '-Djava.awt.headless=true',
]

export async function startKafka(options: StartOptions): Promise<RunningBroker> {
  const dataFolder = options.dataFolder ?? benchFolder()
  const classpath = join(kafkaLibs(), '*')
  const properties = join(dataFolder, 'server.properties')
  const logging = join(dataFolder, 'log4j2.properties')
  const config: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.bootstrap.servers': `localhost:${options.port + 1}`,
    listeners: `PLAINTEXT://127.0.0.1:${options.port},CONTROLLER://127.0.0.1:${options.port + 1}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${options.port},CONTROLLER://127.0.0.1:${options.port + 1}`,
    'inter.broker.listener.name': 'PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': join(dataFolder, 'data'),
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    ...(options.fsync ? { 'log.flush.interval.messages': '1' } : {}),
    ...options.config,
  }
  writeFileSync(
    properties,
    Object.entries(config)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  )
  writeFileSync(
    logging,
    `status = error\nappender.f.type = File\nappender.f.name = F\nappender.f.fileName = ${join(dataFolder, 'server.log')}\n` +
      'appender.f.layout.type = PatternLayout\nappender.f.layout.pattern = [%d] %p %m (%c)%n\nrootLogger.level = warn\nrootLogger.appenderRef.f.ref = F\n',
  )
  const logFlag = `-Dlog4j2.configurationFile=${logging}`
  if (!existsSync(join(dataFolder, 'data', 'meta.properties'))) {
    const tool = (...args: string[]) =>
      execFileSync('java', ['-cp', classpath, logFlag, 'kafka.tools.StorageTool', ...args], { encoding: 'utf8' }).trim()
    tool('format', '--standalone', '-t', tool('random-uuid'), '-c', properties)
  }
  const command = ['java', ...jvmFlags, logFlag, '-cp', classpath, 'kafka.Kafka', properties]
  const effective = { version: kafkaVersion, jvm: jvmFlags.join(' '), config: { ...config, 'log.dirs': 'data' } }
  return await launch('kafka', command, dataFolder, options, effective)
}

async function launch(
  peer: string,
  command: string[],
  dataFolder: string,
  options: StartOptions,
  effective: Record<string, unknown>,
): Promise<RunningBroker> {
  const pinned = options.pin === undefined ? command : ['taskset', '-c', options.pin, ...command]
  if (await isOpen(options.port)) throw new Error(`somebody listens on port ${options.port} already`)
  const began = performance.now()
  const env = { ...process.env, ODRADEK_BENCH_HEAP: join(dataFolder, 'heap') }
  const child = spawn(pinned[0] as string, pinned.slice(1), { stdio: ['ignore', 'ignore', 'pipe'], env })
  let errors = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-4000)
  })
  await accepting(options, child, () => errors).catch(async error => {
    await ended(child, 'SIGKILL')
    throw error
  })
  const listeningAfterSeconds = (performance.now() - began) / 1000
  return {
    peer,
    pid: child.pid as number,
    port: options.port,
    bootstrap: `127.0.0.1:${options.port}`,
    listeningAfterSeconds,
    effective,
    dataFolder,
    async stop({ keep = false, kill = false } = {}) {
      await ended(child, kill ? 'SIGKILL' : 'SIGTERM')
      if (!keep) rmSync(dataFolder, { recursive: true, force: true })
    },
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.on('connect', () => resolve(socket.destroy() !== undefined))
    socket.on('error', () => resolve(false))
  })
}

async function accepting(
  { port, startSeconds = START_SECONDS }: StartOptions,
  child: ChildProcess,
  errors: () => string,
): Promise<void> {
  const deadline = performance.now() + startSeconds * 1000
  while (performance.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`the broker ended with ${child.exitCode} while starting:\n${errors()}`)
    if (await isOpen(port)) return
    await new Promise(resolve => setTimeout(resolve, 2))
  }
  throw new Error(`the broker does not listen on port ${port} after ${startSeconds} s:\n${errors()}`)
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const end = new Promise<void>(resolve => child.once('exit', () => resolve()))
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000)
  await end
  clearTimeout(timer)
}
