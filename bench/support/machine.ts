/**
 * What the figures were taken on, and what a process has used: read from /proc, never guessed.
 *
 * Invariants: CPU is user + system time of the whole process with its threads; memory is RssAnon with RssFile beside it
 * (a broker that maps files would otherwise look large, and one that reads through the page cache small).
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'

const ticksPerSecond = 100

/** Seconds of CPU that the process has used since its start. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** The CPU seconds of a process while `work` ran. */
export async function withBrokerCpu<T>(pid: number, work: () => Promise<T>): Promise<{ result: T; cpu: number }> {
  const cpu = cpuSeconds(pid)
  const result = await work()
  return { result, cpu: cpuSeconds(pid) - cpu }
}

export interface Memory {
  rssAnonMb: number
  rssFileMb: number
  threads: number
  descriptors: number
}

export function memory(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kilobytes = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0)
  return {
    rssAnonMb: Math.round(kilobytes('RssAnon') / 102.4) / 10,
    rssFileMb: Math.round(kilobytes('RssFile') / 102.4) / 10,
    threads: kilobytes('Threads'),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
  }
}

export interface Machine {
  cpu: string
  cores: number
  memoryGb: number
  kernel: string
  java: string
  node: string
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    java: firstLine('java', ['-version']),
    node: process.version,
  }
}

function firstLine(command: string, args: string[]): string {
  try {
    const out = execFileSync('sh', ['-c', `${command} ${args.join(' ')} 2>&1`], { encoding: 'utf8' })
    return out.split('\n', 1)[0] ?? ''
  } catch {
    return 'not installed'
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}
