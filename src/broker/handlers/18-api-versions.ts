/**
 * ApiVersions (18), versions 0 to 4: the APIs that have a handler, and the features.
 *
 * From version 3 the client says who it is; a name or version that isn't letters, digits, dots and hyphens (the latter
 * two not at the ends) is an INVALID_REQUEST. Features whose smallest level is 0 are shown from version 4 on: older
 * clients can't read them. An unknown version never gets here: the router answers it.
 *
 * Finalised is shown as far as it has effects here: metadata.version, group.version, and kraft.version above 0. A
 * finalised transaction.version would make clients use transactions in a way that isn't served.
 */

import { GROUP_VERSION, KRAFT_VERSION, METADATA_VERSION, SUPPORTED_FEATURES } from '../../metadata/features.ts'
import type { ApiVersionsRequest } from '../../protocol/apis/18-api-versions.ts'
import { apiVersions } from '../../protocol/apis/18-api-versions.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { Handler } from '../context.ts'
import type { ConnectionState } from '../router.ts'

const softwarePattern = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/
const SOFTWARE_SINCE_VERSION = 3
const LEVEL_0_SINCE_VERSION = 4

const supported = SUPPORTED_FEATURES.map(({ name, minSupportedVersion, maxSupportedVersion }) => ({
  name,
  minVersion: minSupportedVersion,
  maxVersion: maxSupportedVersion,
}))

export const apiVersionsHandler: Handler<ApiVersionsRequest> = {
  apiKey: apiVersions.key,

  handle(context, request) {
    const { broker, version } = context
    if (version >= SOFTWARE_SINCE_VERSION) {
      const { clientSoftwareName, clientSoftwareVersion } = request
      if (!softwarePattern.test(clientSoftwareName) || !softwarePattern.test(clientSoftwareVersion))
        return { errorCode: ErrorCode.INVALID_REQUEST, apiKeys: [] }
      const state = context.connection.context as ConnectionState
      state.clientSoftwareName = clientSoftwareName
      state.clientSoftwareVersion = clientSoftwareVersion
    }
    const image = broker.image()
    const finalizedFeatures: { name: string; maxVersionLevel: number; minVersionLevel: number }[] = []
    for (const name of [METADATA_VERSION, GROUP_VERSION]) {
      const level = image.features.get(name)
      if (level !== undefined) finalizedFeatures.push(finalized(name, level))
    }
    if (broker.kraftVersion > 0) finalizedFeatures.push(finalized(KRAFT_VERSION, broker.kraftVersion))
    return {
      errorCode: 0,
      apiKeys: broker.servedApis,
      supportedFeatures:
        version >= LEVEL_0_SINCE_VERSION ? supported : supported.filter(({ minVersion }) => minVersion > 0),
      finalizedFeaturesEpoch: image.offset,
      finalizedFeatures,
    }
  },

  failure: (_request, errorCode) => ({ errorCode, apiKeys: [] }),
}

function finalized(name: string, level: number) {
  return { name, maxVersionLevel: level, minVersionLevel: level }
}
