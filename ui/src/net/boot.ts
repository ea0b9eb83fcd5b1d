// What this server is and can do, told by one open route without secrets; and the models it serves.
import { signal } from '@preact/signals';
import { askJson } from './api';
import { isRecord, textOf } from './errors';

export interface Boot {
  version: string;
  auth: 'none' | 'key';
  features: string[];
  limits: Record<string, number>;
}

export interface Model {
  id: string;
  title: string;
  status: string;
  stateBytes: number;
  trained: number;
  size: number;
  fingerprint: string;
}

export const boot = signal<Boot>({ version: '', auth: 'none', features: [], limits: {} });
export const models = signal<Model[]>([]);
// False until the server has answered once: typing works meanwhile.
export const booted = signal(false);

export const can = (feature: string): boolean => boot.value.features.includes(feature);

export async function loadBoot(): Promise<void> {
  const raw = await askJson<unknown>('ui/boot.json');
  if (!isRecord(raw)) return;
  const limits = isRecord(raw['limits']) ? raw['limits'] : {};
  boot.value = {
    version: textOf(raw['version']),
    auth: raw['auth'] === 'key' ? 'key' : 'none',
    features: Array.isArray(raw['features']) ? raw['features'].filter((one) => typeof one === 'string') : [],
    limits: Object.fromEntries(
      Object.entries(limits).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
    ),
  };
}

const numberOf = (value: unknown): number => (typeof value === 'number' ? value : 0);

export async function loadModels(): Promise<void> {
  const raw = await askJson<unknown>('v1/models');
  const list = isRecord(raw) && Array.isArray(raw['data']) ? raw['data'] : [];
  models.value = list.filter(isRecord).map((one) => {
    const meta = isRecord(one['meta']) ? one['meta'] : {};
    return {
      id: textOf(one['id']),
      title: textOf(one['display_name']) || textOf(one['id']),
      status: textOf(one['status']) || 'loaded',
      stateBytes: numberOf(meta['state_bytes']),
      trained: numberOf(meta['n_ctx_train']),
      size: numberOf(meta['size']),
      fingerprint: textOf(meta['fingerprint']),
    };
  });
  booted.value = true;
}

export function modelNamed(id: string): Model | undefined {
  return models.value.find((model) => model.id === id) ?? models.value[0];
}
