/**
 * Subscriptions by regular expression: checked when a member brings one, resolved apart from its heartbeat,
 * and looked up again when topics were created or time has passed. A resolution is a record, so every
 * coordinator sees the same topics.
 *
 * Invariants: one resolution of a group at a time, of all its expressions together, and none sooner
 * than 10 s after the last.
 */
import type { MetadataImage } from '../../../metadata/image.ts'
import { ErrorCode } from '../../../protocol/error-codes.ts'
import type { Outcome } from '../../shard.ts'
import { Refusal } from '../../shard.ts'
import type { GroupContext } from '../context.ts'
import type { GroupRecord } from '../records.ts'
import { addTopics } from './counts.ts'
import { ConsumerGroup } from './group.ts'
import type { ConsumerMember } from './member.ts'
import { regexOf, sameNames } from './member.ts'
import type { MetadataHashes } from './metadata-hash.ts'
import { groupEpochRecord, regexRecord, regexTombstone } from './records.ts'
import { regexesWith } from './subscription.ts'

const REFRESH_PAUSE_MS = 10_000
const EPOCH_DEADLINE_MS = 0x7fffffff

/** So much of an expression is quoted: the fault comes behind it. */
const QUOTED = 500

/** Matching pauses after so long, and goes on after the requests that have come meanwhile. */
const SLICE_MS = 10

/** A resolution under way: of the topics that there were when it began. */
interface Resolution {
  readonly image: MetadataImage
  readonly matching: Map<string, readonly string[]>
}

/** What a heartbeat did to its member's expression: nothing, another one, or another one whose topics are known. */
export type RegexChange = 'none' | 'changed' | 'resolved'

export class Regexes {
  readonly #context: GroupContext
  readonly #hashes: MetadataHashes
  /** Offset of the last image that brought new topics. */
  #newTopicsAt = -1
  /** By group; lost with the shard, whose timers go with it. */
  readonly #underWay = new Map<string, Resolution>()
  #names: { readonly of: MetadataImage['topicsByName']; readonly list: readonly string[] } | undefined

  constructor(context: GroupContext, hashes: MetadataHashes) {
    this.#context = context
    this.#hashes = hashes
  }

  onNewTopics(image: MetadataImage): void {
    this.#newTopicsAt = image.offset
  }

  /** @throws Refusal INVALID_REGULAR_EXPRESSION */
  update(
    group: ConsumerGroup,
    before: ConsumerMember,
    after: ConsumerMember,
    records: GroupRecord[],
  ): { change: RegexChange; refresh: boolean } {
    const regexBefore = regexOf(before)
    const regexAfter = regexOf(after)
    let change: RegexChange = 'none'
    let isNew = false
    if (regexBefore !== regexAfter) {
      change = 'changed'
      if (regexBefore !== undefined && group.regexes.get(regexBefore) === 1) {
        records.push(regexTombstone(group.groupId, regexBefore))
      }
      if (regexAfter === undefined) {
        change = 'resolved'
      } else if (!group.regexes.has(regexAfter)) {
        this.#check(regexAfter)
        isNew = true
      } else if (group.resolvedRegexes.has(regexAfter)) {
        change = 'resolved'
      }
    }
    const refresh =
      (isNew || group.regexes.size > 0) && this.#mustRefresh(group, regexesWith(group, before, after), isNew)
    return { change, refresh }
  }

  /** Resolves the expressions of a group soon, as an operation of its own. */
  refresh(groupId: string): void {
    this.#context.timers.scheduleIfAbsent(refreshKey(groupId), 0, () => this.#resolve(groupId))
  }

  #check(regex: string): void {
    const fault = this.#context.regex.check(regex)
    if (fault === undefined) return
    const quoted = regex.length > QUOTED ? `${regex.slice(0, QUOTED)}...` : regex
    throw new Refusal(ErrorCode.INVALID_REGULAR_EXPRESSION, `"${quoted}" is no regular expression: ${fault}`)
  }

  #mustRefresh(group: ConsumerGroup, regexes: ReadonlyMap<string, number>, isNew: boolean): boolean {
    if (regexes.size === 0 || this.#context.timers.isScheduled(refreshKey(group.groupId))) return false
    let lastMs = Number.NEGATIVE_INFINITY
    let version = 0
    for (const resolved of group.resolvedRegexes.values()) {
      lastMs = Math.max(lastMs, resolved.timestampMs)
      version = Math.max(version, resolved.version)
    }
    const nowMs = this.#context.clock.wallMs()
    if (nowMs <= lastMs + REFRESH_PAUSE_MS) return false
    return (
      isNew ||
      regexes.size !== group.resolvedRegexes.size ||
      version < this.#newTopicsAt ||
      nowMs > lastMs + this.#context.settings.regexRefreshIntervalMs
    )
  }

  #resolve(groupId: string): Outcome<GroupRecord, void> {
    const group = this.#context.groups.get(groupId)
    const isDone = !(group instanceof ConsumerGroup) || group.regexes.size === 0
    if (!isDone && !this.#match(group)) {
      this.refresh(groupId)
      return { records: [], response: undefined }
    }
    const resolution = this.#underWay.get(groupId)
    this.#underWay.delete(groupId)
    if (isDone || resolution === undefined) return { records: [], response: undefined }
    return { records: this.#resolved(group, resolution), response: undefined, atomic: true }
  }

  /** @returns whether each expression of the group is matched; false after a slice of time. */
  #match(group: ConsumerGroup): boolean {
    const { clock, regex: port } = this.#context
    let resolution = this.#underWay.get(group.groupId)
    if (resolution === undefined) {
      resolution = { image: this.#context.image(), matching: new Map() }
      this.#underWay.set(group.groupId, resolution)
    }
    const endsMs = clock.monotonicMs() + SLICE_MS
    const names = this.#topicNames(resolution.image)
    for (const regex of group.regexes.keys()) {
      if (resolution.matching.has(regex)) continue
      if (clock.monotonicMs() >= endsMs) return false
      // One that the log brought may be refused by now; it then stands for nothing.
      const valid = port.check(regex) === undefined
      resolution.matching.set(regex, valid ? port.matching(regex, names).toSorted() : [])
    }
    return true
  }

  #resolved(group: ConsumerGroup, { image, matching: matches }: Resolution): GroupRecord[] {
    const { groupId } = group
    const nowMs = this.#context.clock.wallMs()
    const records: GroupRecord[] = []
    const topics = new Map(group.topics)
    let changed = false
    for (const regex of [...group.regexes.keys()].sort()) {
      const matching = matches.get(regex) ?? []
      const before = group.resolvedRegexes.get(regex)?.topics ?? []
      if (!sameNames(before, matching)) {
        changed = true
        addTopics(topics, before, 'byRegex', -1)
        addTopics(topics, matching, 'byRegex', 1)
      }
      records.push(regexRecord(groupId, regex, { topics: matching, version: image.offset, timestampMs: nowMs }))
    }
    const hash = this.#hashes.ofTopics(topics.keys(), this.#context.image())
    if (changed || hash !== group.metadataHash) {
      records.push(groupEpochRecord(groupId, group.epoch + 1, hash))
      group.refreshAfter(nowMs + EPOCH_DEADLINE_MS, group.epoch + 1)
    }
    return records
  }

  #topicNames(image: MetadataImage): readonly string[] {
    if (this.#names?.of !== image.topicsByName) {
      this.#names = { of: image.topicsByName, list: [...image.topicsByName.keys()] }
    }
    return this.#names.list
  }
}

function refreshKey(groupId: string): string {
  return `consumer-regexes:${groupId}`
}
