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
