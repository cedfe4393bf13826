import { useMutation, useQueryClient } from '@tanstack/react-query'
import { keys } from '../api/keys'
import { patchInstance } from '../api/services'

type Asked = { id: string; status: 'passing' | 'draining' | 'maintenance' }

/** Asks of an instance of the service to be drained, kept away, or called again. */
export function useStatusOf(namespace: string, service: string) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: ({ id, status }: Asked) => patchInstance({ namespace, service, id }, { status }),
    onSettled: () => client.invalidateQueries({ queryKey: keys.instances(namespace, service) }),
  })
}
