-- Words for claims that say by how much one method is below another, over the words of words.sql. Each gives a case per
-- size or model for the direction, and one for the number over all of them.
--
-- cut_up_to(axis_, modality_, metric_, a_, b_, factor)        a_ is lower than b_; the largest cut is about `factor`
-- less_on_average(axis_, modality_, metric_, a_, b_, percent_) a_ is lower than b_; its mean is about `percent_` lower

CREATE OR REPLACE TEMP MACRO cut_up_to(axis_, modality_, metric_, a_, b_, factor) AS TABLE
SELECT *, 'direction' AS tests FROM than(axis_, modality_, metric_, a_, 'lower', b_)
UNION ALL BY NAME
SELECT format('up to {}x', factor::VARCHAR) AS "case",
       about(first(ratio_low ORDER BY ratio DESC), first(ratio_high ORDER BY ratio DESC), factor, 0.1) AS supports,
       format('the largest cut is {:.3g}x, {}', max(ratio), first(size ORDER BY ratio DESC, size)) AS shown, source,
       'size' AS tests
FROM against(axis_, modality_, metric_, b_, a_) WHERE same_size GROUP BY setting, source;

CREATE OR REPLACE TEMP MACRO less_on_average(axis_, modality_, metric_, a_, b_, percent_) AS TABLE
SELECT *, 'direction' AS tests FROM than(axis_, modality_, metric_, a_, 'lower', b_)
UNION ALL BY NAME
SELECT format('mean about {}%', percent_::VARCHAR) AS "case",
       about(avg(-percent_high), avg(-percent_low), percent_, 1) AS supports,
       format('{:+.3g}% against {}, mean of {} models', avg(percent), b_, count(*)) AS shown, source,
       'size' AS tests
FROM against(axis_, modality_, metric_, a_, b_) WHERE same_size GROUP BY setting, source;
