/** Altering configs over a bare connection: what is asked, what is answered, and what is described afterwards. */
import { createTopics } from '../../src/protocol/apis/19-create-topics.ts'
import { describeConfigs } from '../../src/protocol/apis/32-describe-configs.ts'
import { alterConfigs } from '../../src/protocol/apis/33-alter-configs.ts'
import { incrementalAlterConfigs } from '../../src/protocol/apis/44-incremental-alter-configs.ts'
import { listConfigResources } from '../../src/protocol/apis/74-list-config-resources.ts'
import type { WireClient } from './wire-client.ts'

export const Type = { topic: 2, broker: 4, logger: 8, metrics: 16, group: 32 } as const
export const Op = { set: 0, delete: 1, append: 2, subtract: 3 } as const

/** key, operation, value */
export type Edit = readonly [string, number, string | null]
/** type, name, edits */
export type Edits = readonly [number, string, readonly Edit[]]
/** type, name, configs */
export type Whole = readonly [number, string, readonly (readonly [string, string | null])[]]

export type Step =
  | { readonly edit: readonly Edits[]; readonly validateOnly?: boolean }
  | { readonly replace: readonly Whole[]; readonly validateOnly?: boolean }
  | { readonly describe: readonly [number, string, readonly string[]] }
  | { readonly list: readonly number[] }

export interface Case {
  readonly id: string
  readonly steps: readonly Step[]
  /** Why another broker's answers are not expected of us; they are recorded all the same. */
  readonly differs?: string
}

/**
 * Each resource that was altered: code and message; each config: key, value, source; each
 * resource listed: type and name.
 */
export type Answer = readonly (readonly (string | number | null)[])[]

export const PLAIN = 'plain'
export const OTHER = 'other'

export async function createPlainTopics(client: WireClient): Promise<void> {
  const topics = [PLAIN, OTHER].map(name => {
    return { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
  })
  await client.send(createTopics, 7, { topics, timeoutMs: 10_000 })
}

export async function take(client: WireClient, step: Step): Promise<Answer> {
  if ('edit' in step) {
    const resources = step.edit.map(([resourceType, resourceName, edits]) => {
      const configs = edits.map(([name, configOperation, value]) => ({ name, configOperation, value }))
      return { resourceType, resourceName, configs }
    })
    const answer = await client.send(incrementalAlterConfigs, 1, {
      resources,
      validateOnly: step.validateOnly ?? false,
    })
    return answer.responses.map(({ errorCode, errorMessage }) => [errorCode, errorMessage])
  }
  if ('replace' in step) {
    const resources = step.replace.map(([resourceType, resourceName, all]) => {
      return { resourceType, resourceName, configs: all.map(([name, value]) => ({ name, value })) }
    })
    const answer = await client.send(alterConfigs, 2, { resources, validateOnly: step.validateOnly ?? false })
    return answer.responses.map(({ errorCode, errorMessage }) => [errorCode, errorMessage])
  }
  if ('list' in step) {
    const answer = await client.send(listConfigResources, 1, { resourceTypes: [...step.list] })
    const found = answer.configResources.map(each => [each.resourceType, each.resourceName] as const)
    return [[answer.errorCode], ...found.sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1))]
  }
  const [resourceType, resourceName, keys] = step.describe
  const answer = await client.send(describeConfigs, 4, {
    resources: [{ resourceType, resourceName, configurationKeys: keys.length === 0 ? null : [...keys] }],
    includeSynonyms: false,
    includeDocumentation: false,
  })
  const [result] = answer.results
  const found = result!.configs.map(({ name, value, configSource }) => [name, value, configSource] as const)
  return [[result!.errorCode], ...found.sort((a, b) => (a[0] < b[0] ? -1 : 1))]
}
