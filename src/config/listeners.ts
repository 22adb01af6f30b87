/**
 * Addresses in Kafka's notation: NAME://host:port, host empty for all interfaces, an IPv6 host in brackets.
 *
 * Invariants: pure; the answer for a bad entry names it.
 */

export interface ListenerAddress {
  /** Upper case. */
  readonly name: string
  readonly protocol: SecurityProtocol
  /** Without brackets; '' for all interfaces. */
  readonly host: string
  readonly port: number
}

/** As a listener, but its host is never empty. */
export type AdvertisedAddress = ListenerAddress

export type SecurityProtocol = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'

const securityProtocols: readonly string[] = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL']

export type ParsedListeners =
  | { readonly ok: true; readonly listeners: readonly ListenerAddress[] }
  | { readonly ok: false; readonly entry: string; readonly mustBe: string }

/**
 * `CONTROLLER:PLAINTEXT,...` by upper-case name; undefined when an entry is not NAME:PROTOCOL with a known protocol.
 */
export function parseProtocolMap(text: string): ReadonlyMap<string, SecurityProtocol> | undefined {
  const map = new Map<string, SecurityProtocol>()
  for (const entry of text.split(',')) {
    if (entry.trim() === '') continue
    const match = /^\s*([^:\s]+):(\w+)\s*$/.exec(entry)
    const protocol = match?.[2]?.toUpperCase()
    if (!match || !protocol || !securityProtocols.includes(protocol)) return undefined
    map.set(match[1]!.toUpperCase(), protocol as SecurityProtocol)
  }
  return map
}

const address = /^([\w.-]+):\/\/(?:\[([0-9A-Fa-f:.%\w]*)\]|([^:[\]/]*)):(\d{1,5})$/

/** Reads the entries of `listeners` or `advertised.listeners`; `protocolMap` is `listener.security.protocol.map`. */
export function parseListeners(entries: readonly string[], protocolMap: string): ParsedListeners {
  const protocols = parseProtocolMap(protocolMap)
  const listeners: ListenerAddress[] = []
  for (const entry of entries) {
    const match = address.exec(entry)
    const port = Number(match?.[4])
    if (!match || port > 65535) return { ok: false, entry, mustBe: 'NAME://host:port, with a port of 0 to 65535' }
    const name = match[1]!.toUpperCase()
    const protocol = protocols?.get(name)
    if (!protocol) return { ok: false, entry, mustBe: 'a name that listener.security.protocol.map has' }
    if (listeners.some(other => other.name === name)) {
      return { ok: false, entry, mustBe: 'a name that no other listener has' }
    }
    listeners.push({ name, protocol, host: match[2] ?? match[3] ?? '', port })
  }
  return { ok: true, listeners }
}

/** host:port, with brackets around an IPv6 host. */
export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Whether `host` is an address that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

/** Whether `host` stands for every interface. */
export function isWildcard(host: string): boolean {
  return host === '' || host === '0.0.0.0' || host === '::'
}
