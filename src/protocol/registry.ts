/** The APIs that there are, by key. What a broker serves is the list of its handlers, which is part of this one. */
import type { Api } from './api.ts'
import { produce } from './apis/00-produce.ts'
import { fetch } from './apis/01-fetch.ts'
import { metadata } from './apis/03-metadata.ts'
import { apiVersions } from './apis/18-api-versions.ts'

export const apis: readonly Api[] = [produce, fetch, metadata, apiVersions]

const byKey: (Api | undefined)[] = []
for (const api of apis) byKey[api.key] = api

export function findApi(key: number): Api | undefined {
  return byKey[key]
}
