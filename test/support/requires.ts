/**
 * Skipping with a reason. What a machine may lack is named here, with the way to find out; the runner counts the skip,
 * and under ODRADEK_REQUIRE=all it is a failure.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { kafkaJars } from './kafka.ts'
import { newerLibrdkafka } from './librdkafka.ts'

/** Ends the running test (or, from a before hook, its whole suite) as skipped. */
export const skip = (reason: string): never => {
  throw Object.assign(new Error(`skipped: ${reason}`), { [Symbol.for('odradek.skip')]: reason })
}

const onPath = (program: string): boolean =>
  (process.env.PATH ?? '').split(delimiter).some(folder => folder !== '' && existsSync(join(folder, program)))

/** A file system of this kind can be made on a file, mounted, and its power cut. */
const lackingForDisk = (kind: 'ext4' | 'xfs'): string | undefined => {
  if (process.platform !== 'linux') return 'not Linux'
  if (process.getuid?.() !== 0) return 'not running as root'
  for (const program of [`mkfs.${kind}`, 'xfs_io']) if (!onPath(program)) return `no ${program} on the PATH`
  if (!new RegExp(`\\b${kind}$`, 'm').test(readFileSync('/proc/filesystems', 'utf8')))
    return `no ${kind} in this kernel`
  if (spawnSync('losetup', ['-f']).status !== 0) return 'no free loop device'
  return checks.mount()
}

/** Capability to a check that answers undefined, or what is lacking. */
const checks = {
  java: () => (onPath('java') ? undefined : 'no java on the PATH'),
  kafka: () => (onPath('java') && kafkaJars() !== undefined ? undefined : 'no Apache Kafka: scripts/kafka-fetch.mjs'),
  kcat: () => (onPath('kcat') ? undefined : 'no kcat on the PATH'),
  librdkafka: () => (newerLibrdkafka() === undefined ? 'no newer librdkafka: scripts/librdkafka-build.mjs' : undefined),
  strace: () => (onPath('strace') ? undefined : 'no strace on the PATH'),
  mount: () => {
    if (process.getuid?.() !== 0) return 'not running as root'
    const folder = mkdtempSync(join(tmpdir(), 'odradek-mount-'))
    try {
      if (spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', folder]).status !== 0) return 'may not mount'
      spawnSync('umount', [folder])
      return undefined
    } finally {
      rmdirSync(folder)
    }
  },
  cc: () => (onPath('cc') ? undefined : 'no C compiler (cc) on the PATH'),
  ext4: () => lackingForDisk('ext4'),
  xfs: () => lackingForDisk('xfs'),
  linux: () => (process.platform === 'linux' ? undefined : 'not Linux'),
  ipv6: () => {
    try {
      return readFileSync('/proc/net/if_inet6', 'utf8') === '' ? 'no IPv6' : undefined
    } catch {
      return 'no IPv6'
    }
  },
} satisfies Record<string, () => string | undefined>

export type Capability = keyof typeof checks

/** Skips the running test or suite when the machine lacks one of these. */
export const requires = (...capabilities: Capability[]): void => {
  for (const capability of capabilities) {
    const lacking = checks[capability]()
    if (lacking !== undefined) skip(lacking)
  }
}
