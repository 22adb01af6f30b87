/**
 * A scripted conversation between clients and a broker, written down so that two brokers' sides of it can be compared.
 *
 * What a broker makes up (member ids, topic ids, its address) is replaced by symbols in order of appearance;
 * arrays whose order means nothing are sorted. Requests that only wait for something (`reached`, the tries of
 * `until`) are not written down, so that a slower broker makes the same transcript. A conversation's groups and
 * topics begin with its id.
 */
import type { Api } from '../../src/protocol/api.ts'
import { findCoordinator } from '../../src/protocol/apis/10-find-coordinator.ts'
import { heartbeat } from '../../src/protocol/apis/12-heartbeat.ts'
import { describeGroups } from '../../src/protocol/apis/15-describe-groups.ts'
import { listGroups } from '../../src/protocol/apis/16-list-groups.ts'
import { createTopics } from '../../src/protocol/apis/19-create-topics.ts'
import { createPartitions } from '../../src/protocol/apis/37-create-partitions.ts'
import { consumerGroupHeartbeat } from '../../src/protocol/apis/68-consumer-group-heartbeat.ts'
import { type Plan, planOf } from '../../src/protocol/plan.ts'
import type { Decoded, Encodable, Fields, Schema } from '../../src/protocol/schema.ts'
import { WireClient } from './wire-client.ts'

/** One request and its answer, as plain JSON. */
export interface Exchange {
  readonly ask: string
  readonly request: unknown
  readonly answer: unknown
}

export interface Conversation {
  readonly id: string
  readonly name: string
  body(talk: Talk): Promise<void>
}

/** What both brokers are configured with: nothing waits that need not, and one log holds all groups. */
export const conversationConfig = {
  'offsets.topic.num.partitions': 1,
  'group.initial.rebalance.delay.ms': 0,
  'group.consumer.assignment.interval.ms': 0,
  'group.max.size': 3,
  'group.consumer.max.size': 5,
} as const

/** A request as a script writes it: what it leaves out is empty. */
export type Asking<T> = T extends readonly (infer Item)[]
  ? readonly Asking<Item>[]
  : T extends Uint8Array
    ? T
    : T extends object
      ? { readonly [Name in keyof T]?: Asking<T[Name]> | undefined }
      : T

interface Written {
  readonly ask: string
  readonly request: unknown
  answer: unknown
}

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))
/** Bounds every wait: a broker that never gets there fails the conversation by name. */
const TRIES = 1000

export class Talk {
  readonly id: string
  readonly #port: number
  readonly #momentMs: number
  readonly #clients = new Map<string, Promise<WireClient>>()
  readonly #written: Written[] = []
  readonly #topics = new Map<string, string>()

  constructor(id: string, port: number, momentMs: number) {
    this.id = id
    this.#port = port
    this.#momentMs = momentMs
  }

  /** A group id, or topic name, of this conversation's own. */
  named(name: string): string {
    return `${this.id}.${name}`
  }

  /** Sends as client `who`, connected on first use under that client id; resolves to the answer. */
  async send<Q extends Fields, R extends Fields>(
    who: string,
    api: Api<Q, R>,
    version: number,
    request: Asking<Encodable<Q>>,
  ): Promise<Decoded<R>> {
    const written: Written = { ask: `${who}: ${api.name} ${version}`, request, answer: null }
    this.#written.push(written)
    const client = await this.#client(who)
    try {
      const answer = await client.send(api, version, whole(api.request, version, request))
      written.answer = present(api.response, version, answer)
      return answer
    } catch (error) {
      written.answer = (error as Error).message
      throw error
    }
  }

  /** Repeats a request until its answer is `enough`; only that one is written down. */
  async until<Q extends Fields, R extends Fields>(
    who: string,
    api: Api<Q, R>,
    version: number,
    request: Asking<Encodable<Q>>,
    enough: (answer: Decoded<R>) => boolean,
  ): Promise<Decoded<R>> {
    const client = await this.#client(who)
    for (let tries = 0; tries < TRIES; tries++) {
      const answer = await client.send(api, version, whole(api.request, version, request))
      if (enough(answer)) {
        const shown = present(api.response, version, answer)
        this.#written.push({ ask: `${who}: ${api.name} ${version}`, request, answer: shown })
        return answer
      }
      await pause(10)
    }
    throw new Error(`${this.id}: ${api.name} never came to its end`)
  }

  /** Waits until a classic group is in the state, with that many members. */
  async reached(groupId: string, state: string, members?: number): Promise<void> {
    const client = await this.#client('watcher')
    let seen = ''
    for (let tries = 0; tries < TRIES; tries++) {
      const group = (await client.send(describeGroups, 5, { groups: [groupId], includeAuthorizedOperations: false }))
        .groups[0]!
      if (group.groupState === state && (members === undefined || group.members.length === members)) return
      seen = `${group.groupState} with ${group.members.length}`
      await pause(5)
    }
    throw new Error(`${groupId} is ${seen}, never came to ${state} with ${members ?? 'any'} members`)
  }

  /** Lets a broker read what was sent last, where nothing shows that it has. */
  async moment(): Promise<void> {
    await pause(this.#momentMs)
  }

  /** Creates a topic of the conversation and waits until it can be used. */
  async topic(name: string, partitions = 1): Promise<{ name: string; id: string }> {
    const client = await this.#client('watcher')
    const full = this.named(name)
    const created = await client.send(createTopics, 7, {
      topics: [{ name: full, numPartitions: partitions, replicationFactor: 1, assignments: [], configs: [] }],
      timeoutMs: 10_000,
    })
    const { errorCode, errorMessage } = created.topics[0]!
    if (errorCode !== 0) throw new Error(`creating ${full}: ${errorCode} ${errorMessage}`)
    const id = await this.#settled(full, partitions)
    this.#topics.set(id, name)
    return { name: full, id }
  }

  /** Gives a topic of the conversation more partitions. */
  async grow(name: string, partitions: number): Promise<void> {
    const client = await this.#client('watcher')
    await client.send(createPartitions, 3, {
      topics: [{ name, count: partitions, assignments: null }],
      timeoutMs: 10_000,
      validateOnly: false,
    })
    await this.#settled(name, partitions)
  }

  /** Until the coordinator assigns all of its partitions, which is later than the topic is announced. */
  async #settled(name: string, partitions: number): Promise<string> {
    const client = await this.#client('watcher')
    const probe = { groupId: `probe ${name} ${partitions}`, memberId: 'probe' }
    for (let tries = 0; tries < TRIES; tries++) {
      const joining = { memberEpoch: 0, rebalanceTimeoutMs: 60_000, subscribedTopicNames: [name], topicPartitions: [] }
      const { assignment } = await client.send(consumerGroupHeartbeat, 1, { ...probe, ...joining })
      await client.send(consumerGroupHeartbeat, 1, { ...probe, memberEpoch: -1 })
      const assigned = assignment?.topicPartitions[0]
      if (assigned?.partitions.length === partitions) return assigned.topicId
      await pause(10)
    }
    throw new Error(`${name} was never there`)
  }

  async end(): Promise<void> {
    for (const client of this.#clients.values()) await (await client).close()
  }

  #client(who: string): Promise<WireClient> {
    let client = this.#clients.get(who)
    if (client === undefined) {
      client = WireClient.connect(this.#port, '127.0.0.1', who)
      this.#clients.set(who, client)
    }
    return client
  }

  /** The conversation so far, comparable. */
  transcript(): Exchange[] {
    const symbols = new Symbols(this.id, this.#topics)
    return this.#written.map(({ ask, request, answer }) => ({
      ask,
      request: symbols.plain(request, false),
      answer: symbols.plain(answer, ask.includes(listGroups.name)),
    }))
  }
}

function planFor<F extends Fields>(schema: Schema<F>, version: number): Plan {
  return planOf(schema.name, schema.fields, version, schema.flexible)
}

/** With every field of the version. */
function whole<F extends Fields>(schema: Schema<F>, version: number, value: Asking<Encodable<F>>): Encodable<F> {
  return filled(planFor(schema, version), value as Entries) as Encodable<F>
}

function filled(plan: Plan, value: Entries): Entries {
  const fields = plan.fields.map(field => {
    const given = value[field.name]
    if (given === undefined) return [field.name, field.absent ? undefined : field.default]
    return [field.name, inStructs(field.struct, given, filled)]
  })
  return Object.fromEntries(fields)
}

/** Without the fields that the version lacks. */
function present<F extends Fields>(schema: Schema<F>, version: number, value: Decoded<F>): unknown {
  return trimmed(planFor(schema, version), value as Entries)
}

function trimmed(plan: Plan, value: Entries): Entries {
  const fields = plan.fields.filter(field => !field.absent && field.name !== 'throttleTimeMs')
  return Object.fromEntries(fields.map(field => [field.name, inStructs(field.struct, value[field.name], trimmed)]))
}

function inStructs(struct: Plan | undefined, value: unknown, change: (plan: Plan, value: Entries) => Entries): unknown {
  if (struct === undefined || value === null) return value
  return Array.isArray(value) ? value.map(item => change(struct, item)) : change(struct, value as Entries)
}

/** Fields of answers whose elements come in any order. */
const UNORDERED = new Set(['members', 'results', 'subscribedTopicNames', 'topicPartitions'])
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|^[A-Za-z0-9_-]{22}$/
const LONGEST = 200

class Symbols {
  readonly #id: string
  readonly #topics: ReadonlyMap<string, string>
  readonly #made = new Map<string, string>()

  constructor(id: string, topics: ReadonlyMap<string, string>) {
    this.#id = id
    this.#topics = topics
  }

  /** `listing`: an answer that tells of other conversations' groups too, in any order. */
  plain(value: unknown, listing: boolean): unknown {
    const ordered = this.#sorted(value, '', listing)
    this.#discover(ordered, '')
    return this.#replaced(ordered)
  }

  /** Sorting comes before symbols: what is random in an element is blanked where elements are compared. */
  #sorted(value: unknown, key: string, listing: boolean): unknown {
    if (Array.isArray(value)) {
      let items = value.map(item => this.#sorted(item, '', listing))
      const isList = listing && key === 'groups'
      if (isList) items = items.filter(item => isObject(item) && String(item['groupId']).startsWith(`${this.#id}.`))
      return isList || UNORDERED.has(key) ? items.sort((a, b) => (this.#blanked(a) < this.#blanked(b) ? -1 : 1)) : items
    }
    if (!isObject(value)) return value
    return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, this.#sorted(of, name, listing)]))
  }

  #blanked(value: unknown): string {
    return JSON.stringify(this.#replaced(value), (_, inner) => this.#blank(inner))
  }

  #blank(value: unknown): unknown {
    return typeof value === 'string' ? value.replace(UUID, '') : value
  }

  #discover(value: unknown, key: string): void {
    if (Array.isArray(value)) for (const item of value) this.#discover(item, '')
    else if (isObject(value)) for (const [name, of] of Object.entries(value)) this.#discover(of, name)
    else if (typeof value === 'string' && (key === 'memberId' || key === 'leader')) {
      const uuid = UUID.exec(value)?.[0]
      if (uuid !== undefined && !this.#made.has(uuid)) this.#made.set(uuid, `<uuid ${this.#made.size + 1}>`)
    }
  }

  #replaced(value: unknown): unknown {
    if (typeof value === 'bigint') return `${value}n`
    if (value instanceof Uint8Array) return abbreviated(`0x${hex(value)}`)
    if (Array.isArray(value)) return numbersInOrder(value).map(item => this.#replaced(item))
    if (isObject(value)) {
      const entries = Object.entries(value).map(([name, of]) => [name, this.#replaced(of)])
      return withoutAddress(Object.fromEntries(entries))
    }
    return typeof value === 'string' ? abbreviated(this.#text(value)) : value
  }

  #text(text: string): string {
    let out = text
    for (const [uuid, symbol] of this.#made) out = out.replaceAll(uuid, symbol)
    for (const [id, name] of this.#topics) out = out.replaceAll(id, `<id of ${name}>`)
    return out
  }
}

/** Partitions come in any order, and go back in the one in which they came. */
function numbersInOrder(values: readonly unknown[]): readonly unknown[] {
  return values.every(value => typeof value === 'number') ? values.toSorted((a, b) => a - b) : values
}

type Entries = Readonly<Record<string, unknown>>

function isObject(value: unknown): value is Entries {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array)
}

/** Whether there is a node is what counts. */
function withoutAddress(object: Entries): Entries {
  const { nodeId, host, port, ...rest } = object
  if (nodeId === undefined) return object
  return { ...rest, node: nodeId === -1 ? `none '${host}' ${port}` : 'one' }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}

function abbreviated(text: string): string {
  return text.length <= LONGEST ? text : `${text.slice(0, 20)}… of ${text.length}`
}

/** Waits until a broker coordinates groups. */
export async function warmedUp(port: number): Promise<void> {
  const client = await WireClient.connect(port)
  for (let tries = 0; tries < TRIES; tries++) {
    await client.send(findCoordinator, 4, { keyType: 0, coordinatorKeys: ['warm'], key: '' })
    const answer = await client.send(heartbeat, 4, { groupId: 'warm', generationId: 1, memberId: 'nobody' })
    // UNKNOWN_MEMBER_ID: it has read its log and knows of none.
    if (answer.errorCode === 25) return client.close()
    await pause(20)
  }
  throw new Error('no coordinator of groups')
}

/** Holds one conversation with the broker at `port`. `momentMs`: by then it has read what was
 * sent to it. */
export async function converse(conversation: Conversation, port: number, momentMs: number): Promise<Exchange[]> {
  const talk = new Talk(conversation.id, port, momentMs)
  try {
    await conversation.body(talk)
    return talk.transcript()
  } finally {
    await talk.end()
  }
}
