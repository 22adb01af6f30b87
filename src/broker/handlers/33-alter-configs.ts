/**
 * AlterConfigs: what a request leaves out is unset. This broker judges the configs of brokers,
 * the controller the others.
 */
import { ConfigResource } from '../../metadata/image.ts'
import { type AlterConfigsRequest, alterConfigs } from '../../protocol/apis/33-alter-configs.ts'
import {
  alterConfigResources,
  failedAlterations,
  type Judge,
  judgeBroker,
  judgeStored,
  otherBroker,
} from '../alter-configs.ts'
import type { Handler } from '../context.ts'

const judge: Judge<AlterConfigsRequest['resources'][number]> = (broker, resource) => {
  const { resourceType, resourceName, configs } = resource
  if (resourceType !== ConfigResource.broker) return judgeStored(resource)
  const other = resourceName === '' ? undefined : otherBroker(broker, resourceName)
  const texts = new Map(configs.map(({ name, value }) => [name, value ?? '']))
  return other ?? judgeBroker(broker, resourceName, texts)
}

export const alterConfigsHandler: Handler<AlterConfigsRequest> = {
  apiKey: alterConfigs.key,
  handle: (context, request) => alterConfigResources(context, request, () => true, judge),
  failure: failedAlterations,
}
