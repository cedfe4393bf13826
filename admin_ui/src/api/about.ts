import { queryOptions } from '@tanstack/react-query'
import { api, take } from './client'
import { keys } from './keys'

/** Which Meshway this is, and how it runs. */
export const aboutQuery = queryOptions({
  queryKey: keys.about,
  queryFn: () => take(api.GET('/v1/about')),
})

/** Everything that is durable as one file. The browser saves it: nothing of it stays in the page. */
export const BACKUP = '/v1/backup'
