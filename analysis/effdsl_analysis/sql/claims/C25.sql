-- RWKV has the lightest memory footprint (Table 6).
-- The lowest AMU at every scale.
FROM extreme('backbone', 'text', 'amu_gb', 'rwkv', 'lowest');
