/**
 * What a foreign client was seen to do with us, for the README's table. Call it at the end of a test, when everything
 * it says has been asserted. Nothing is written unless the suite asks for it (ODRADEK_WORKS_WITH names the file).
 */
import { appendFileSync } from 'node:fs'

export interface ForeignClient {
  /** As its makers write it: `kafkajs`, `kcat (librdkafka)`, `kafka-clients (Java)`. */
  readonly client: string
  readonly version: string
  /** What it ran in: `Java 17`; absent: the JavaScript runtime of this test. */
  readonly runtime?: string
}

const thisRuntime = (): string => {
  const { bun, deno, node } = process.versions
  if (bun !== undefined) return `Bun ${bun.split('.').slice(0, 2).join('.')}`
  if (deno !== undefined) return `Deno ${deno.split('.').slice(0, 2).join('.')}`
  return `Node ${node.split('.')[0]}`
}

/** `what` is one short phrase of the table: `produce`, `idempotent produce`, `create topics`. */
export const worksWith = ({ client, version, runtime = thisRuntime() }: ForeignClient, ...what: string[]): void => {
  const path = process.env.ODRADEK_WORKS_WITH
  if (path === undefined || path === '') return
  for (const phrase of what) appendFileSync(path, `${JSON.stringify({ client, version, runtime, what: phrase })}\n`)
}
