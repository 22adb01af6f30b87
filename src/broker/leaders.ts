/** What an answer says about the present leader of a partition that this broker doesn't lead (KIP-951). */
import { ZERO_UUID } from '../base/uuid.ts'
import type { RequestContext } from './context.ts'

/** The `nodeEndpoints` of one answer, each broker once. */
export interface LeaderEndpoints {
  readonly endpoints: { nodeId: number; host: string; port: number; rack: string | null }[]
}

/** Leader and epoch by the metadata image; adds the leader's endpoint to `leaders` if it can be reached. */
export function currentLeader(
  context: RequestContext,
  topic: string,
  topicId: string,
  index: number,
  leaders: LeaderEndpoints,
): { leaderId: number; leaderEpoch: number } {
  const image = context.broker.image()
  const known = topicId === ZERO_UUID ? image.topicsByName.get(topic) : image.topicsById.get(topicId)
  const partition = known?.partitions[index]
  if (partition === undefined) return { leaderId: -1, leaderEpoch: -1 }
  const { leader } = partition
  const endpoint = context.broker.endpointOf(leader, context.connection)
  if (endpoint !== undefined && !leaders.endpoints.some(known => known.nodeId === leader)) {
    const rack = image.brokers.get(leader)?.rack ?? null
    leaders.endpoints.push({ nodeId: leader, host: endpoint.host, port: endpoint.port, rack })
  }
  return { leaderId: leader, leaderEpoch: partition.leaderEpoch }
}
