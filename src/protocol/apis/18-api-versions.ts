/**
 * ApiVersions (18), versions 0 to 4: which APIs and features the broker has.
 *
 * Version 3 brought the client's name and version, the features and the flexible encoding; 4 shows features whose
 * smallest version is 0. The answer's header is version 0 in every version, since a client cannot know yet what the
 * broker speaks; a request of an unknown version is answered in version 0 with UNSUPPORTED_VERSION.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, bool, int16, int32, int64, message, string } from '../schema.ts'

const range = { apiKey: 18, versions: '0-4', flexible: '3+' }

const apiVersionsRequest = message('ApiVersionsRequest', range, {
  clientSoftwareName: string('3+', { ignorable: true }),
  clientSoftwareVersion: string('3+', { ignorable: true }),
})

const apiVersionsResponse = message('ApiVersionsResponse', range, {
  errorCode: int16('0+'),
  apiKeys: array('0+', {
    apiKey: int16('0+'),
    minVersion: int16('0+'),
    maxVersion: int16('0+'),
  }),
  throttleTimeMs: int32('1+', { ignorable: true }),
  supportedFeatures: array(
    '3+',
    {
      name: string('3+'),
      minVersion: int16('3+'),
      maxVersion: int16('3+'),
    },
    { tagged: '3+', tag: 0, ignorable: true },
  ),
  /** -1: unknown, and then `finalizedFeatures` says nothing. */
  finalizedFeaturesEpoch: int64('3+', { tagged: '3+', tag: 1, default: -1, ignorable: true }),
  finalizedFeatures: array(
    '3+',
    {
      name: string('3+'),
      maxVersionLevel: int16('3+'),
      minVersionLevel: int16('3+'),
    },
    { tagged: '3+', tag: 2, ignorable: true },
  ),
  zkMigrationReady: bool('3+', { tagged: '3+', tag: 3, default: false, ignorable: true }),
})

export const apiVersions = api(apiVersionsRequest, apiVersionsResponse)
export type ApiVersionsRequest = Message<typeof apiVersionsRequest>
export type ApiVersionsRequestInput = MessageInput<typeof apiVersionsRequest>
export type ApiVersionsResponse = Message<typeof apiVersionsResponse>
export type ApiVersionsResponseInput = MessageInput<typeof apiVersionsResponse>
