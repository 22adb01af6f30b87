/**
 * A newer librdkafka than the one that kcat was built with, which knows the newer group protocol: built once by
 * scripts/librdkafka-build.mjs. kcat takes it by LD_LIBRARY_PATH.
 */
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** The folder that holds librdkafka.so.1, or undefined when it was never built. `ODRADEK_LIBRDKAFKA` names another. */
export const newerLibrdkafka = (): string | undefined => {
  const folder = process.env.ODRADEK_LIBRDKAFKA ?? join(homedir(), '.cache', 'odradek-lab', 'rdkafka-3.6.1', 'src')
  return existsSync(join(folder, 'librdkafka.so.1')) ? folder : undefined
}
