/**
 * What tests of bad input have in common: a broker as a process, peers that send it anything, and a client that has
 * done nothing wrong and must not notice.
 */
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import * as assert from 'uvu/assert'
import { apiVersions } from '../../src/protocol/apis/18-api-versions.ts'
import { encodeRequest } from '../../src/protocol/headers.ts'
import { joinParts } from '../../src/protocol/messages.ts'
import { Writer } from '../../src/protocol/writer.ts'
import { createTopic, produceBatch, readAll } from './records-client.ts'
import { framed } from './sockets.ts'
import { WireClient } from './wire-client.ts'

/** Anonymous memory of a process in bytes; 0 where the system doesn't tell. */
export const anonymousBytes = (pid: number): number => {
  try {
    const found = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return found === null ? 0 : Number(found[1]) * 1024
  } catch {
    return 0
  }
}

/** An ApiVersions request with its length, for asking whether a connection is still served. */
const question = framed(
  joinParts(encodeRequest(new Writer(), apiVersions, 0, { correlationId: 0x0d15ea5e, clientId: null }, {})),
)
const answerBegins = [0x0d, 0x15, 0xea, 0x5e]

export interface Outcome {
  /** How many frames came back, the answer to the question behind ours not counted. */
  readonly answers: number
  readonly closed: boolean
}

/**
 * Sends `bytes` as they are and a harmless request behind them; resolves when that is answered, or the connection ends.
 * With `patienceMs` undefined comes when neither has happened after so long.
 */
export function outcomeOf(port: number, bytes: Uint8Array): Promise<Outcome>
export function outcomeOf(port: number, bytes: Uint8Array, patienceMs: number): Promise<Outcome | undefined>
export function outcomeOf(port: number, bytes: Uint8Array, patienceMs?: number): Promise<Outcome | undefined> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port })
    const frames = new FrameReader()
    let answers = 0
    let settled = false
    const settle = (outcome: Outcome | undefined): void => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      socket.destroy()
      resolve(outcome)
    }
    const timer = patienceMs === undefined ? undefined : setTimeout(() => settle(undefined), patienceMs)
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('close', () => settle({ answers, closed: true }))
    socket.on('connect', () => {
      socket.write(bytes)
      socket.write(question)
    })
    socket.on('data', chunk => {
      for (const beginning of frames.take(chunk)) {
        if (answerBegins.every((byte, index) => beginning[index] === byte)) return settle({ answers, closed: false })
        answers += 1
      }
    })
  })
}

/** Tells how the frames of a stream begin, and keeps nothing else of them. */
class FrameReader {
  /** The length prefix and the first four bytes of the frame under way. */
  #head: number[] = []
  #left = 0

  /** The first four bytes of each frame that `chunk` completes. */
  take(chunk: Uint8Array): number[][] {
    const whole: number[][] = []
    for (let at = 0; at < chunk.length; ) {
      if (this.#head.length < 8) {
        this.#head.push(chunk[at++] as number)
        if (this.#head.length === 8) this.#left = new DataView(Uint8Array.from(this.#head).buffer).getInt32(0) - 4
      } else {
        const taken = Math.min(this.#left, chunk.length - at)
        this.#left -= taken
        at += taken
      }
      if (this.#head.length === 8 && this.#left === 0) {
        whole.push(this.#head.slice(4))
        this.#head = []
      }
    }
    return whole
  }
}

/** Runs `act` on every item, so many at a time, in order of the items. */
export const eachOf = async <Item>(items: Iterable<Item>, atOnce: number, act: (item: Item) => Promise<void>) => {
  const iterator = items[Symbol.iterator]()
  const worker = async (): Promise<void> => {
    for (let next = iterator.next(); !next.done; next = iterator.next()) await act(next.value)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

/** Writes one record after the other, each behind the answer to the one before, until it is told to stop. */
export class UndisturbedClient {
  readonly #client: WireClient
  readonly #topic: string
  #stopped = false
  #written = 0
  #running: Promise<void>

  private constructor(client: WireClient, topic: string) {
    this.#client = client
    this.#topic = topic
    this.#running = this.#run()
    // Told by `stop`.
    this.#running.catch(() => {})
  }

  static async start(port: number, topic: string): Promise<UndisturbedClient> {
    const client = await WireClient.connect(port)
    await createTopic(client, topic)
    return new UndisturbedClient(client, topic)
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const target = { topic: this.#topic, partition: 0, acks: -1 } as const
      const { errorCode, baseOffset } = await produceBatch(this.#client, target, [`record ${this.#written}`])
      assert.is(errorCode, 0, 'a client that did nothing wrong was refused')
      assert.is(baseOffset, this.#written, 'a record that nobody sent lies before')
      this.#written += 1
    }
  }

  /** Records that were acknowledged so far. */
  get written(): number {
    return this.#written
  }

  /**
   * Fails when anything that was written was refused, lost, doubled or moved; resolves to how many records there are.
   */
  async stop(): Promise<number> {
    this.#stopped = true
    await this.#running
    const records = await readAll(this.#client, this.#topic, 0)
    assert.is(records.length, this.#written)
    assert.ok(records.every(({ offset, value }, index) => offset === index && value === `record ${index}`))
    await this.#client.close()
    return records.length
  }
}
