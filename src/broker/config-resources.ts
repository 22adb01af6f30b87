/** What requests about configs share. */
import { ConfigResource, configKey } from '../metadata/image.ts'
import type { BrokerPorts } from './context.ts'

/** Kafka's resource type of the loggers of a broker. Nothing of them is stored, so the metadata do not know it. */
export const BROKER_LOGGER = 8

const none: ReadonlyMap<string, string> = new Map()

/** What is set for one broker, or (empty name) for all. */
export function brokerConfigs({ image }: BrokerPorts, name: string): ReadonlyMap<string, string> {
  return image().configs.get(configKey(ConfigResource.broker, name)!) ?? none
}
