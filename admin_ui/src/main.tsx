import '@mantine/core/styles.css'
import './theme/tokens.css'
import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { createRoot } from 'react-dom/client'
import { ApiProblem, whenSignedOut } from './api/client'
import { keys } from './api/keys'
import { sessionQuery } from './api/session'
import { startLanguages } from './i18n'
import { startDensity } from './kit/density'
import { makeRouter } from './routes'
import { theme } from './theme/mantine'

const RETRIES = 2

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      refetchOnWindowFocus: false,
      // What was refused stays refused; what did not answer may answer again.
      retry: (failures, error) =>
        failures < RETRIES && error instanceof ApiProblem && (error.status === 0 || error.status >= 500),
    },
  },
})
// The answer to the question about the session itself says so too: asked anew for that it would be asked for ever.
whenSignedOut(() => void client.invalidateQueries({ queryKey: keys.session }, { cancelRefetch: false }))

// Nothing is shown before it is known: asked for while the rest of the console is still made.
void client.prefetchQuery(sessionQuery)
const router = makeRouter(client)
const schemes = localStorageColorSchemeManager({ key: 'meshway-theme' })
const root = document.getElementById('root')

startDensity()
startLanguages().then(() => {
  if (root === null) return
  createRoot(root).render(
    <QueryClientProvider client={client}>
      <MantineProvider theme={theme} defaultColorScheme="auto" colorSchemeManager={schemes}>
        <RouterProvider router={router} />
      </MantineProvider>
    </QueryClientProvider>,
  )
})
