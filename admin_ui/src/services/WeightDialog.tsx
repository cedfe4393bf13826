import { NumberInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { keys } from '../api/keys'
import { type Instance, patchInstance } from '../api/services'
import { Confirm } from '../kit/Confirm'

const HIGHEST = 1000

export function WeightDialog({ instance, close }: { instance: Instance | null; close: () => void }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const [weight, setWeight] = useState(1)
  useEffect(() => {
    if (instance) setWeight(instance.weight)
  }, [instance])

  async function act() {
    if (instance === null) return
    const { namespace, service, id } = instance
    await patchInstance({ namespace, service, id }, { weight })
    await client.invalidateQueries({ queryKey: keys.instances(namespace, service) })
  }

  return (
    <Confirm
      title={t('instances.setWeight')}
      action={t('instances.saveWeight')}
      isOpen={instance !== null}
      close={close}
      act={act}
    >
      <NumberInput
        label={t('instances.weightOf', { id: instance?.id ?? '' })}
        description={t('instances.weightHint')}
        min={0}
        max={HIGHEST}
        allowDecimal={false}
        value={weight}
        onChange={(value) => setWeight(Number(value))}
      />
    </Confirm>
  )
}
