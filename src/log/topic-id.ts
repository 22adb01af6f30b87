/** Whose log a folder of a directory holds, without opening it. For start-up, where two folders claim one name. */
import type { LogDirectory } from './log.ts'

const decoder = new TextDecoder()

/** What `partition.metadata` says, 22 characters of base64url; undefined: nothing that can be read. */
export async function topicIdIn(directory: LogDirectory, folder: string): Promise<string | undefined> {
  const content = await directory.readFile(`${folder}/partition.metadata`)
  return content === undefined ? undefined : /^topic_id: (\S{22})$/m.exec(decoder.decode(content))?.[1]
}
