/**
 * The disk's own rates: fio writes so many bytes and calls fdatasync, over and over, in one
 * thread; or reads a file whole.
 *
 * Invariants: it writes as our segments are written, at the end of a file that grows; its file lies in the folder that
 * is measured and goes afterwards.
 */
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'

/** Writes with their syncs a second; undefined where there is no fio. */
export function fioSyncs(folder: string, bytes: number, seconds: number): number | undefined {
  const job = [
    '--name=append',
    '--ioengine=psync',
    '--rw=write',
    '--fdatasync=1',
    '--time_based',
    `--runtime=${seconds}`,
  ]
  const file = [`--bs=${bytes}`, '--size=256m', '--file_append=1', '--fallocate=none', `--directory=${folder}`]
  try {
    const text = execFileSync('fio', [...job, ...file, '--output-format=json'], { encoding: 'utf8' })
    return JSON.parse(text.slice(text.indexOf('{'))).jobs[0].write.iops as number
  } catch {
    return undefined
  } finally {
    rmSync(join(folder, 'append.0.0'), { force: true })
  }
}

/** Megabytes a second of two threads that read these files, which are in no cache; undefined where there is no fio. */
export function fioReads(files: readonly string[]): number | undefined {
  const half = (from: number) => files.filter((_, at) => at % 2 === from)
  const jobs = [half(0), half(1)].filter(names => names.length > 0)
  const args = jobs.flatMap((names, at) => [`--name=read${at}`, `--filename=${names.join(':')}`])
  const common = ['--ioengine=psync', '--rw=read', '--readonly', '--bs=256k', '--invalidate=1', '--group_reporting']
  try {
    const text = execFileSync('fio', ['--output-format=json', ...common, ...args], { encoding: 'utf8' })
    return (JSON.parse(text.slice(text.indexOf('{'))).jobs[0].read.bw_bytes as number) / 1e6
  } catch {
    return undefined
  }
}
