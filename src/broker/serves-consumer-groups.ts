/**
 * Whether this cluster has consumer groups (KIP-848): `group.version` is finalised and the
 * protocol is not switched off.
 */
import { GROUP_VERSION } from '../metadata/features.ts'
import type { BrokerPorts } from './context.ts'

export function servesConsumerGroups({ config, image }: BrokerPorts): boolean {
  const protocols = config.list('group.coordinator.rebalance.protocols')
  return (image().features.get(GROUP_VERSION) ?? 0) >= 1 && protocols.includes('consumer')
}
