import { render } from 'preact';
import { Shell } from './app/shell';
import './app/appearance';

const host = document.getElementById('app');
if (host) render(<Shell />, host);
