/** Where the repository is, seen from a test file in test/ and from its build in dist/test/ alike. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const findRoot = (): string => {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'Cargo.toml'))) folder = dirname(folder)
  return folder
}

export const repositoryRoot = findRoot()

/** An absolute path inside the repository. */
export const inRepository = (...parts: string[]): string => join(repositoryRoot, ...parts)
