/** Who sent a request, as a group remembers its members. */
import type { RequestOrigin } from '../coordinator/group/context.ts'
import type { RequestContext } from './context.ts'

export function originOf({ version, clientId, connection }: RequestContext): RequestOrigin {
  return { apiVersion: version, clientId: clientId ?? '', clientHost: `/${connection.remoteHost}` }
}
