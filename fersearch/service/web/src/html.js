// Preact with tagged templates: `html` draws, signals hold what changes.
import { h, render, Fragment } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { batch, computed, effect, signal, useComputed, useSignal, useSignalEffect } from "@preact/signals";
import htm from "htm";

export const html = htm.bind(h);
export {
  Fragment, batch, computed, effect, render, signal,
  useComputed, useEffect, useLayoutEffect, useMemo, useRef, useSignal, useSignalEffect, useState,
};
