/**
 * What `serve` says when it has started: one line, and a warning for each thing that may surprise. Pure texts.
 */
import { OdradekError } from '../base/errors.ts'
import { version } from '../base/version.ts'
import type { Broker } from '../broker/broker.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import { formatAddress, isLoopback, isWildcard } from '../config/listeners.ts'
import { LogError } from '../log/log-errors.ts'
import { NativeBindingError } from '../native/index.ts'
import { ListenError } from '../native/runtime.ts'

export interface Started {
  readonly host: string
  readonly port: number
  /** undefined: in memory. */
  readonly dir: string | undefined
  readonly topics: number
  readonly partitions: number
  readonly afterMs: number
}

function count(number: number, one: string): string {
  return `${number} ${one}${number === 1 ? '' : 's'}`
}

/** Where someone on this machine reaches a broker that listens on `host`. */
function dialled(host: string): string {
  if (!isWildcard(host)) return host
  return host === '::' ? '::1' : '127.0.0.1'
}

/** The one line. */
export function startedLine(config: BrokerConfig, started: Started): string {
  const { host, port, dir, topics, partitions, afterMs } = started
  const data = dir === undefined ? 'in memory, gone when it stops' : dir
  const safe =
    dir === undefined ? 'memory' : config.flush === 'group' ? 'disk' : 'the page cache, not for the disk (flush=os)'
  const parts = [
    `odradek ${version} listening on ${formatAddress(isWildcard(host) && host === '' ? '0.0.0.0' : host, port)} after ${Math.round(afterMs)} ms`,
    `data ${data} (${count(topics, 'topic')}, ${count(partitions, 'partition')})`,
    `acks=all waits for ${safe}`,
    `try: kcat -b ${formatAddress(dialled(host), port)} -L`,
  ]
  return parts.join(' · ')
}

/** What may surprise about who can reach this broker, and what address clients are told. */
export function addressWarnings(config: BrokerConfig, host: string, port: number): string[] {
  const warnings: string[] = []
  const address = formatAddress(host === '' ? '0.0.0.0' : host, port)
  if (!isLoopback(host)) {
    warnings.push(
      `${address} accepts anyone who reaches it: no TLS, no SASL. Bind 127.0.0.1 unless the network is trusted`,
    )
  }
  if (config.advertised.length === 0 && isWildcard(host)) {
    warnings.push(
      'clients are told the address at which they reached this machine; behind NAT or a published container port ' +
        'that can be wrong: set advertised.listeners',
    )
  }
  for (const advertised of config.advertised) {
    if (!isLoopback(advertised.host) || isLoopback(host)) continue
    warnings.push(
      `clients on other machines are told ${formatAddress(advertised.host, advertised.port)}, which is themselves: ` +
        'set advertised.listeners to an address that they reach',
    )
  }
  return warnings
}

/** What the start found and did on disk. */
export function reportLines(
  broker: Pick<Broker, 'clusterId' | 'nodeId' | 'report'>,
  dir: string | undefined,
): string[] {
  const { formatted, recovered } = broker.report
  const lines: string[] = []
  if (formatted && dir !== undefined) lines.push(`formatted ${dir}: cluster ${broker.clusterId}, node ${broker.nodeId}`)
  if (recovered.logs > 0) {
    const { logs, cutBytes } = recovered
    const cut = cutBytes === 0 ? 'nothing was cut' : `cut ${cutBytes} torn bytes`
    lines.push(`recovered ${count(logs, 'partition')} after an unclean stop, ${cut}`)
  }
  return lines
}

/** Records that were set aside because something before them can't be read, or is gone. */
export function cutWarnings({ report }: Pick<Broker, 'report'>): string[] {
  const { cutRecords } = report.recovered
  if (cutRecords === 0) return []
  const what = `${count(cutRecords, 'record')} that could be read, behind what was torn or missing`
  return [`taken out of the logs: ${what}; kept beside the segments, in files *.odradek-cut`]
}

/** Why the start failed and what helps; undefined for an error that nothing here foresaw. */
export function startFailure(error: unknown): string | undefined {
  if (error instanceof ListenError && error.code === 'EADDRINUSE') {
    return `${error.message}. Stop the program that listens there, or choose another port with --port (0 takes a free one)`
  }
  if (error instanceof ListenError && error.code === 'EACCES') {
    return `${error.message}. Ports below 1024 are for privileged users: choose another with --port`
  }
  if (error instanceof ListenError && error.code === 'EADDRNOTAVAIL') {
    return `${error.message}. --host takes an address of this machine, or 0.0.0.0 or :: for all of them`
  }
  const foreseen = [OdradekError, LogError, ListenError, NativeBindingError].some(each => error instanceof each)
  return foreseen ? (error as Error).message : undefined
}
