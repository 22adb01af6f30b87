/** ListGroups (16): the groups that this broker coordinates; none when there is no `__consumer_offsets` yet. */
import type { ListGroupsRequest } from '../../protocol/apis/16-list-groups.ts'
import { listGroups } from '../../protocol/apis/16-list-groups.ts'
import type { Handler } from '../context.ts'

export const listGroupsHandler: Handler<ListGroupsRequest> = {
  apiKey: listGroups.key,

  handle({ broker }, { statesFilter, typesFilter }) {
    return broker.groups.listGroups(statesFilter, typesFilter)
  },

  failure(_request, errorCode) {
    return { errorCode, groups: [] }
  },
}
