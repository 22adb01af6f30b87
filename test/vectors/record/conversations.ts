/**
 * Holds the conversations of test/coordinator/group/conversations with Apache Kafka and writes down what it answers:
 *
 *   node test/vectors/record/conversations.ts PORT [ID...]
 *
 * The broker is on this machine, single, fresh, and configured by Kafka's shipped server.properties and
 * `conversationConfig` with group.consumer.assignor.offload.enable=false, so that an assignment is in the
 * answer to the heartbeat that caused it. With ids, only those are held and replaced. The kept answers are
 * those of Apache Kafka 4.3.1.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { conversations } from '../../coordinator/group/conversations/index.ts'
import { converse, type Exchange, warmedUp } from '../../support/conversation.ts'

const folder = join(import.meta.dirname, '../groups/conversations')
const MOMENT_MS = 60

async function record(port: number, ids: readonly string[]): Promise<void> {
  await warmedUp(port)
  mkdirSync(folder, { recursive: true })
  for (const [file, group] of Object.entries(conversations)) {
    const path = join(folder, `${file}.json`)
    const before: Record<string, Exchange[]> = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {}
    const recorded: Record<string, Exchange[]> = {}
    for (const conversation of group) {
      const { id } = conversation
      const wanted = ids.length === 0 || ids.includes(id)
      const exchanges = wanted ? await converse(conversation, port, MOMENT_MS) : before[id]
      if (exchanges === undefined) continue
      recorded[id] = exchanges
      if (wanted) console.log(`${file} ${id}: ${exchanges.length}`)
    }
    writeFileSync(path, formatted(recorded))
  }
}

/** One exchange a line. */
function formatted(recorded: Record<string, readonly Exchange[]>): string {
  const parts = Object.entries(recorded).map(
    ([id, exchanges]) => `${JSON.stringify(id)}: [\n${exchanges.map(each => JSON.stringify(each)).join(',\n')}\n]`,
  )
  return `{\n${parts.join(',\n')}\n}\n`
}

const [port, ...ids] = process.argv.slice(2)
if (port === undefined) console.error('usage: conversations.ts PORT [ID...]')
else await record(Number(port), ids)
