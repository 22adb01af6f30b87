/**
 * Group configs: checked when they are set. Pure; a group's values lie within the bounds that the broker sets now.
 */
import type { BrokerConfig } from './broker-config.ts'
import { groupConfigs, groupSynonym } from './table.ts'
import { parseValue } from './value.ts'

interface Bounds {
  readonly name: string
  readonly least: string | undefined
  readonly most: string
}

const within = (kind: string, key: string): Bounds => ({
  name: `${kind}.${key}`,
  least: `group.${kind}.min.${key}`,
  most: `group.${kind}.max.${key}`,
})

const kinds = ['consumer', 'share', 'streams']

/** The broker configs that hold a group config within limits. */
const bounds: readonly Bounds[] = [
  ...kinds.flatMap(kind =>
    ['heartbeat.interval.ms', 'session.timeout.ms', 'assignment.interval.ms'].map(key => within(kind, key)),
  ),
  ...['record.lock.duration.ms', 'delivery.count.limit', 'partition.max.record.locks'].map(key => within('share', key)),
  { name: 'streams.num.standby.replicas', least: undefined, most: 'group.streams.max.standby.replicas' },
]

/** Where a share group starts: an end of the log, or as long ago as an ISO 8601 duration says. */
const whereToStart =
  /^(latest|earliest|by_duration:\+?p(?=[\dt+])(\+?\d+d)?(t(?=[\d+])(\+?\d+h)?(\+?\d+m)?(\+?\d+([.,]\d{0,9})?s)?)?)$/

/** The letters of a duration may be large or small; the rest is as it is written. */
function smallDuration(text: string): string {
  const [strategy, ...duration] = text.split(':')
  return [strategy, ...duration.map(each => each.toLowerCase())].join(':')
}

/** Why these overrides cannot be the configs of one group; undefined when they can. */
export function validateGroupConfigs(overrides: ReadonlyMap<string, string>, broker: BrokerConfig): string | undefined {
  const set = new Map<string, number>()
  for (const name of overrides.keys()) if (!groupConfigs.has(name)) return `Unknown group config name: ${name}`
  for (const [name, text] of overrides) {
    const parsed = parseValue(groupConfigs.get(name)!, text)
    if (!parsed.ok) return `Invalid value ${text} for configuration ${name}: must be ${parsed.mustBe}`
    if (name === 'share.auto.offset.reset' && !whereToStart.test(smallDuration(text.trim()))) {
      return `Invalid value ${text} for configuration ${name}: must be latest, earliest, or by_duration:PnDTnHnMn.nS`
    }
    if (typeof parsed.value === 'number') set.set(name, parsed.value)
  }
  for (const { name, least, most } of bounds) {
    const value = set.get(name)
    if (value === undefined) continue
    if (least !== undefined && value < broker.number(least)) return `${name} must be greater than or equal to ${least}`
    if (value > broker.number(most)) return `${name} must be less than or equal to ${most}`
  }
  for (const kind of kinds) {
    const [session, heartbeat] = [`${kind}.session.timeout.ms`, `${kind}.heartbeat.interval.ms`]
    if (!set.has(session) && !set.has(heartbeat)) continue
    const value = (name: string) => set.get(name) ?? broker.number(groupSynonym(name)!)
    if (value(session) <= value(heartbeat)) return `${session} must be greater than ${heartbeat}`
  }
  return undefined
}
