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

/**
 * Megabytes a second of two threads that each read half of `bytes`, which are in no cache;
 * undefined where there is no fio.
 */
export function fioReads(folder: string, bytes: number): number | undefined {
  const files = [`--directory=${folder}`, `--size=${Math.floor(bytes / 2)}`, '--numjobs=2', '--bs=256k']
  const fio = (args: string[]) => execFileSync('fio', ['--name=read', '--ioengine=psync', ...files, ...args])
  try {
    fio(['--rw=write', '--end_fsync=1'])
    const text = fio(['--rw=read', '--invalidate=1', '--group_reporting', '--output-format=json']).toString()
    return (JSON.parse(text.slice(text.indexOf('{'))).jobs[0].read.bw_bytes as number) / 1e6
  } catch {
    return undefined
  } finally {
    for (const file of ['read.0.0', 'read.1.0']) rmSync(join(folder, file), { force: true })
  }
}
