/** ListPartitionReassignments: the controller knows. */
import {
  type ListPartitionReassignmentsRequest,
  listPartitionReassignments,
} from '../../protocol/apis/46-list-partition-reassignments.ts'
import type { Handler } from '../context.ts'
import { forwarded } from '../forward.ts'

export const listPartitionReassignmentsHandler: Handler<ListPartitionReassignmentsRequest> = {
  apiKey: listPartitionReassignments.key,
  handle: forwarded,
  failure: (_request, errorCode) => ({ errorCode, errorMessage: null, topics: [] }),
}
