/** Whether this cluster has consumer groups (KIP-848): `group.version` is finalised and the protocol is not switched off. */
import type { BrokerPorts } from './context.ts'

export function servesConsumerGroups({ config, image }: BrokerPorts): boolean {
  const protocols = config.list('group.coordinator.rebalance.protocols')
  return (image().features.get('group.version') ?? 0) >= 1 && protocols.includes('consumer')
}
