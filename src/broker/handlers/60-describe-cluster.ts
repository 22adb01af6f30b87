/**
 * DescribeCluster: cluster id, brokers and where the client reaches them. Every broker forwards to the controller, so
 * any broker may be named as it; this one is.
 */
import { type DescribeClusterRequest, describeCluster } from '../../protocol/apis/60-describe-cluster.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import { CLUSTER_OPERATIONS } from '../authorized-operations.ts'
import type { Handler, RequestContext } from '../context.ts'

const NOT_ASKED = -2147483648
const EndpointType = { brokers: 1, controllers: 2 } as const

export const describeClusterHandler: Handler<DescribeClusterRequest> = {
  apiKey: describeCluster.key,

  handle(context, request) {
    const { version, broker } = context
    if (request.endpointType !== EndpointType.brokers) {
      const known = request.endpointType === EndpointType.controllers
      const code = known ? ErrorCode.MISMATCHED_ENDPOINT_TYPE : ErrorCode.UNSUPPORTED_ENDPOINT_TYPE
      const what = known ? 'this listener serves brokers, not controllers' : 'unknown type of end point'
      return {
        errorCode: version === 0 ? ErrorCode.INVALID_REQUEST : code,
        errorMessage: `${what}: ${request.endpointType}`,
        clusterId: '',
        brokers: [],
      }
    }
    const brokers = reachable(context, request.includeFencedBrokers)
    return {
      errorCode: ErrorCode.NONE,
      clusterId: broker.clusterId,
      controllerId: brokers.some(each => each.brokerId === broker.nodeId) ? broker.nodeId : -1,
      brokers,
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? CLUSTER_OPERATIONS : NOT_ASKED,
    }
  },

  failure(_request, errorCode) {
    return { errorCode, clusterId: '', brokers: [] }
  },
}

function reachable(context: RequestContext, fencedToo: boolean) {
  const found: { brokerId: number; host: string; port: number; rack: string | null; isFenced: boolean }[] = []
  for (const { id, rack, fenced } of context.broker.image().brokers.values()) {
    if (fenced && !fencedToo) continue
    const endpoint = context.broker.endpointOf(id, context.connection)
    if (endpoint) found.push({ brokerId: id, host: endpoint.host, port: endpoint.port, rack, isFenced: fenced })
  }
  return found
}
