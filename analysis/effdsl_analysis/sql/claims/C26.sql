-- Pythia has the fastest latency (Table 6).
-- The lowest AL at every scale.
FROM extreme('backbone', 'text', 'al_s_per_iter', 'pythia', 'lowest');
