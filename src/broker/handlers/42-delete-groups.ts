/** DeleteGroups (42): each group succeeds or fails by itself; one that is named twice is answered once. */
import type { DeleteGroupsRequest } from '../../protocol/apis/42-delete-groups.ts'
import { deleteGroups } from '../../protocol/apis/42-delete-groups.ts'
import type { Handler } from '../context.ts'

export const deleteGroupsHandler: Handler<DeleteGroupsRequest> = {
  apiKey: deleteGroups.key,

  async handle({ broker }, { groupsNames }) {
    return { results: await broker.groups.deleteGroups([...new Set(groupsNames)]) }
  },

  failure({ groupsNames }, errorCode) {
    return { results: [...new Set(groupsNames)].map(groupId => ({ groupId, errorCode })) }
  },
}
