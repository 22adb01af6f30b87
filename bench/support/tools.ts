/**
 * The foreign load programs: librdkafka's rdkafka_performance, built from the source that the npm package node-rdkafka
 * carries, and Kafka's own Java tools. Each call runs one program to its end and returns the figures that it printed.
 */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { kafkaLibs } from './peers.ts'

/** Path of rdkafka_performance; builds it (about a minute, once) below the user's cache folder when it is not there. */
export function rdkafkaPerformance(): string {
  const given = process.env['RDKAFKA_PERFORMANCE']
  if (given !== undefined) return given
  const folder = join(homedir(), '.cache', 'odradek-lab', 'rdkafka-3.6.1')
  const program = join(folder, 'examples', 'rdkafka_performance')
  if (existsSync(program)) return program
  const script = fileURLToPath(new URL('../../scripts/librdkafka-build.mjs', import.meta.url))
  execFileSync(process.execPath, [script], { stdio: 'inherit' })
  return program
}

/** Runs a program to its end; rejects with its last output when it fails or takes longer than `timeoutMs`. */
export async function run(command: string, args: string[], timeoutMs = 300_000): Promise<string> {
  return await new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    const keep = (chunk: Buffer) => {
      out += chunk.toString()
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      if (code === 0) resolve(out)
      else reject(new Error(`${command} ${args.join(' ')} ended with ${code ?? signal}:\n${out.slice(-2000)}`))
    })
  })
}

export interface RdkafkaOptions {
  bootstrap: string
  topic: string
  records: number
  /** Produce: bytes a record. */
  size?: number
  acks?: '1' | '-1'
  properties?: Record<string, string>
}

/** Figures of `rdkafka_performance -P`. */
export async function rdkafkaProduce(
  options: RdkafkaOptions,
): Promise<{ recordsPerSecond: number; megabytesPerSecond: number }> {
  const properties = { 'queue.buffering.max.messages': '500000', ...options.properties }
  const out = await run(rdkafkaPerformance(), [
    '-P',
    '-t',
    options.topic,
    '-p',
    '0',
    '-b',
    options.bootstrap,
    '-s',
    `${options.size ?? 100}`,
    '-c',
    `${options.records}`,
    '-a',
    options.acks ?? '-1',
    '-q',
    ...Object.entries(properties).flatMap(([key, value]) => ['-X', `${key}=${value}`]),
  ])
  const rate = /(\d+) failed\) in \d+ms: (\d+) msgs\/s and ([\d.]+) MB\/s/.exec(lastLineWith(out, 'messages produced'))
  if (rate === null || rate[1] !== '0') throw new Error(`rdkafka_performance -P: ${out.slice(-1500)}`)
  return { recordsPerSecond: Number(rate[2]), megabytesPerSecond: Number(rate[3]) }
}

/** Figures of `rdkafka_performance -C` over one assigned partition. */
export async function rdkafkaConsume(
  options: RdkafkaOptions,
): Promise<{ recordsPerSecond: number; megabytesPerSecond: number }> {
  const properties = { 'fetch.message.max.bytes': '1048576', ...options.properties }
  const out = await run(rdkafkaPerformance(), [
    '-C',
    '-t',
    options.topic,
    '-p',
    '0',
    '-b',
    options.bootstrap,
    '-o',
    'beginning',
    '-c',
    `${options.records}`,
    '-q',
    ...Object.entries(properties).flatMap(([key, value]) => ['-X', `${key}=${value}`]),
  ])
  const rate = /(\d+) msgs\/s \(([\d.]+) MB\/s\)/.exec(lastLineWith(out, 'consumed'))
  if (rate === null) throw new Error(`rdkafka_performance -C: ${out.slice(-1500)}`)
  return { recordsPerSecond: Number(rate[1]), megabytesPerSecond: Number(rate[2]) }
}

/** Runs one of Kafka's own tools; returns what it printed. */
export async function kafkaTool(name: string, args: string[], timeoutMs?: number): Promise<string> {
  const flags = ['-Xmx512M', '-server', '-XX:+UseG1GC', '-Djava.awt.headless=true', '-Dlog4j2.level=ERROR']
  const full = name.includes('.') ? name : `org.apache.kafka.tools.${name}`
  return await run('java', [...flags, '-cp', join(kafkaLibs(), '*'), full, ...args], timeoutMs)
}

/** Figures of ProducerPerformance's steady state, its own warm-up left out. */
export async function javaProduce(
  options: RdkafkaOptions,
): Promise<{ recordsPerSecond: number; megabytesPerSecond: number; p99Ms: number }> {
  const properties = { acks: 'all', ...options.properties }
  const warm = Math.floor(options.records / 3)
  const out = await kafkaTool('ProducerPerformance', [
    '--bootstrap-server',
    options.bootstrap,
    '--topic',
    options.topic,
    '--num-records',
    `${options.records + warm}`,
    '--warmup-records',
    `${warm}`,
    '--record-size',
    `${options.size ?? 100}`,
    '--throughput',
    '-1',
    '--command-property',
    ...Object.entries(properties).map(([key, value]) => `${key}=${value}`),
  ])
  const line = lastLineWith(out, 'records/sec')
  const rate = /([\d.]+) records\/sec \(([\d.]+) MB\/sec\).*?(\d+) ms 99th/.exec(line)
  if (rate === null) throw new Error(`ProducerPerformance: ${out.slice(-1500)}`)
  return { recordsPerSecond: Number(rate[1]), megabytesPerSecond: Number(rate[2]) * 1.048576, p99Ms: Number(rate[3]) }
}

/** Figures of ConsumerPerformance, its join and its rebalances left out of the rate. */
export async function consumerPerformance(
  options: RdkafkaOptions,
): Promise<{ megabytesPerSecond: number; recordsPerSecond: number; rebalanceMs: number }> {
  const out = await kafkaTool('ConsumerPerformance', [
    '--bootstrap-server',
    options.bootstrap,
    '--topic',
    options.topic,
    '--num-records',
    `${options.records}`,
  ])
  const names = lastLineWith(out, 'fetch.MB.sec').split(', ')
  const values = out.trimEnd().split('\n').at(-1)?.split(', ') ?? []
  const value = (name: string) => Number(values[names.indexOf(name)] ?? Number.NaN)
  const megabytesPerSecond = value('fetch.MB.sec') * 1.048576
  if (!(megabytesPerSecond > 0)) throw new Error(`ConsumerPerformance: ${out.slice(-1500)}`)
  return { megabytesPerSecond, recordsPerSecond: value('fetch.nMsg.sec'), rebalanceMs: value('rebalance.time.ms') }
}

/** Figures of EndToEndLatency with acks=all; the tool cuts percentiles to whole milliseconds. */
export async function endToEndLatency(
  options: RdkafkaOptions & { size: number },
): Promise<{ averageMs: number; p50Ms: number; p99Ms: number; p999Ms: number }> {
  const { bootstrap, topic, records, size } = options
  const out = await kafkaTool('EndToEndLatency', [bootstrap, topic, `${records}`, 'all', `${size}`])
  const average = /Avg latency: ([\d.]+) ms/.exec(out)
  const percentiles = /50th = (\d+), 99th = (\d+), 99.9th = (\d+)/.exec(out)
  if (average === null || percentiles === null) throw new Error(`EndToEndLatency: ${out.slice(-1500)}`)
  const [p50Ms = Number.NaN, p99Ms = Number.NaN, p999Ms = Number.NaN] = percentiles.slice(1).map(Number)
  return { averageMs: Number(average[1]), p50Ms, p99Ms, p999Ms }
}

function lastLineWith(text: string, word: string): string {
  return (
    text
      .split('\n')
      .filter(line => line.includes(word))
      .at(-1) ?? ''
  )
}
