// The models of this server: what each takes of the disk and of memory, and for how many talks at once.
import type { VNode } from 'preact';
import { bytes, number, t } from '../i18n';
import { askJson } from '../net/api';
import { isRecord, textOf } from '../net/errors';
import { can } from '../net/boot';
import { nameOf } from '../text/controls';
import { Figures } from './figures';
import { Trouble } from './trouble';
import { useAsked } from './use_asked';

interface Served {
  id: string;
  title: string;
  status: string;
  parameters: number;
  size: number;
  memory: number;
  stateBytes: number;
  trained: number;
  fingerprint: string;
}

const numberOf = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0);

async function listServed(): Promise<Served[]> {
  const raw = await askJson<unknown>('v1/models');
  const list = isRecord(raw) && Array.isArray(raw['data']) ? raw['data'].filter(isRecord) : [];
  return list.map((one) => {
    const meta = isRecord(one['meta']) ? one['meta'] : {};
    return {
      id: textOf(one['id']),
      title: textOf(one['display_name']) || textOf(one['id']),
      status: textOf(one['status']) || 'loaded',
      parameters: numberOf(meta['n_params']),
      size: numberOf(meta['size']),
      memory: numberOf(meta['memory_bytes']),
      stateBytes: numberOf(meta['state_bytes']),
      trained: numberOf(meta['n_ctx_train']),
      fingerprint: textOf(meta['fingerprint']),
    };
  });
}

interface Status {
  device: string;
  rss: number;
  kept: number;
  keptBytes: number;
  budget: number;
}

async function status(): Promise<Status> {
  const raw = await askJson<unknown>('v1/status');
  const one = isRecord(raw) ? raw : {};
  const states = isRecord(one['states']) ? one['states'] : {};
  return {
    device: textOf(one['device']),
    rss: numberOf(one['rss']),
    kept: numberOf(states['n']),
    keptBytes: numberOf(states['bytes']),
    budget: numberOf(states['budget']),
  };
}

export default function Models(): VNode {
  const words = t();
  const list = useAsked(listServed, []);
  const now = useAsked(can('status') ? status : null, []);
  return (
    <div class="stack wide-gap">
      <section class="stack" aria-labelledby="models-title">
        <h2 id="models-title">{words.modelsServed}</h2>
        {list.error !== null && <Trouble error={list.error} again={list.again} />}
        {list.busy && <p class="muted">{words.loading}</p>}
        {list.value && (
          <ul class="cards">
            {list.value.map((model) => (
              <Card model={model} key={model.id} />
            ))}
          </ul>
        )}
        <p class="honest">{words.modelsNote}</p>
      </section>
      {now.value && (
        <section class="stack" aria-labelledby="models-memory">
          <h2 id="models-memory">{words.modelsMemory}</h2>
          <Figures
            rows={[
              [words.modelsDevice, now.value.device],
              [words.raceProcess, bytes(now.value.rss)],
              [words.modelsKept, words.modelsKeptOf(now.value.kept, bytes(now.value.keptBytes), bytes(now.value.budget))],
            ]}
          />
          <div class="row">
            <button type="button" class="button" onClick={() => (list.again(), now.again())}>
              {words.viewRefresh}
            </button>
          </div>
        </section>
      )}
    </div>
  );
}

const SESSIONS = [1, 16, 256];

function Card({ model }: { model: Served }): VNode {
  const words = t();
  const weights = model.memory || model.size;
  const names: Record<string, string> = {
    loaded: words.modelLoaded,
    unloaded: words.modelUnloaded,
    loading: words.modelIsLoading,
    failed: words.modelFailed,
  };
  return (
    <li class="card">
      <div class="card-head">
        <h3 dir="auto">{nameOf(model.title)}</h3>
        <span class={`tag ${model.status === 'loaded' ? 'ok' : model.status === 'failed' ? 'warn' : ''}`}>{names[model.status] ?? model.status}</span>
      </div>
      <p class="muted small" dir="auto">
        {model.id}
        {model.fingerprint && (
          <>
            {' '}
            <code>{model.fingerprint.slice(0, 8)}</code>
          </>
        )}
      </p>
      <Figures
        small
        rows={[
          model.parameters > 0 && [words.modelParameters, compact(model.parameters)],
          [words.modelWeights, weights > 0 ? bytes(weights) : '–'],
          [words.modelState, model.stateBytes > 0 ? bytes(model.stateBytes) : '–'],
          model.trained > 0 && [words.modelTrained, words.tokens(model.trained)],
        ]}
      />
      {weights > 0 && model.stateBytes > 0 && (
        <table class="numbers plain-table">
          <caption>{words.modelTalks}</caption>
          <thead>
            <tr>
              <th scope="col">{words.modelTalksCount}</th>
              {SESSIONS.map((count) => (
                <th scope="col" key={count}>
                  {number(count)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <tr>
              <th scope="row">{words.modelTalksMemory}</th>
              {SESSIONS.map((count) => (
                <td key={count}>{bytes(weights + model.stateBytes * count)}</td>
              ))}
            </tr>
          </tbody>
        </table>
      )}
    </li>
  );
}

function compact(value: number): string {
  const [size, unit] = value >= 1e9 ? [value / 1e9, 'B'] : [value / 1e6, 'M'];
  return `${number(size, size < 10 ? 2 : 0)}${unit}`;
}
