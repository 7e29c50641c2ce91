-- No attention variant is best on all five metrics at any scale (Table 3).
-- The five: PPL, AMU, AL, TT, AEC.
FROM best_on_all() WHERE axis = 'attention' AND modality = 'text';
